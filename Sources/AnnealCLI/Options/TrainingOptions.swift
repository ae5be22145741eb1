import Anneal
import ArgumentParser
import Foundation

/// The training flags of MXNet's scripts.
struct TrainingOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Set flags by name: \(Recipe.all.map(\.name).joined(separator: ", ")); see 'anneal recipes'.",
            valueName: "NAME"), completion: .list(Recipe.all.map(\.name)))
    var recipe: String?
    @Option(
        help: ArgumentHelp(
            "Set flags by a file, a line each: 'lr: 0.1'. The command line wins over the file, the file over the recipe.",
            valueName: "FILE.yaml"), completion: .file(extensions: ["yaml", "yml"]))
    var config: String?
    @Option(
        help: ArgumentHelp(
            "Classes of the network's head (default: the number of class names, where those are known, else in train 10).",
            valueName: "N"))
    var numClasses: Int?
    @Option(
        help: ArgumentHelp(
            "Shape of the network's input (default: \(Train.script.imageShape) in train; in fine-tune the pre-trained model's, or \(FineTuneCommand.script.imageShape)).",
            valueName: "C,H,W"))
    var imageShape: String?
    @Option(
        help: ArgumentHelp(
            "First values of the parameters: default, or one of \(Initializers.names.joined(separator: ", ")).",
            valueName: "NAME"), completion: .list(["default"] + Initializers.names))
    var initializer: String = "default"
    @Option(
        help: ArgumentHelp(
            "Let this convolution, the network's first, whiten the training images' patches, and freeze its weight; '': none.",
            valueName: "LAYER"))
    var whiten: String?
    @Option(
        help: ArgumentHelp(
            "Of what flows between layers: float32, or on accelerators bfloat16 or float16. Weights, statistics and files stay float32.",
            valueName: "TYPE"), completion: .list(Self.dtypes))
    var dtype: String = "float32"
    @Option(
        help: ArgumentHelp(
            "Loss scale for --dtype float16: a power of two, or 'dynamic', which drops a step now and then to find it (default: dynamic).",
            valueName: "N"))
    var lossScale: LossScaling?
    @Option(
        help: ArgumentHelp("Losses to show next to accuracy and cross-entropy: ce, nll.", valueName: "NAME,NAME"),
        completion: .list(["ce", "nll"]))
    var loss: String?
    @Option(name: .customLong("top-k"), help: ArgumentHelp("Also show the top-k accuracy; 0 does not.", valueName: "K"))
    var topK: Int = 0
    @Option(
        help: ArgumentHelp("One of \(Optimizers.names.sorted().joined(separator: ", ")).", valueName: "NAME"),
        completion: .list(Optimizers.names.sorted()))
    var optimizer: String = "sgd"
    @OptionGroup var schedule: ScheduleOptions
    @OptionGroup var updates: UpdateOptions
    @OptionGroup var largeBatch: LargeBatchOptions
    @Option(help: ArgumentHelp("Momentum (\(ScriptDefaults.text(\.mom.brief))).", valueName: "M"))
    var mom: Double?
    @Option(help: ArgumentHelp("Weight decay (\(ScriptDefaults.text(\.wd.brief))).", valueName: "WD"))
    var wd: Double?
    @Option(help: ArgumentHelp("Images of a batch; an update is of --accumulate batches.", valueName: "N"))
    var batchSize: Int = 128
    @Option(
        help: ArgumentHelp(
            "Epochs in all; with --load-epoch, those before it count (\(ScriptDefaults.text(\.numEpochs))).",
            valueName: "N"))
    var numEpochs: Int?
    @OptionGroup var machine: DeviceOptions
    @OptionGroup var job: JobOptions
    @Option(
        help: ArgumentHelp(
            "Images of a batch over all processes (default: --batch-size times their number).", valueName: "N"))
    var globalBatchSize: Int?
    @Option(
        help: ArgumentHelp(
            "Of initial values, data order and augmentation (default: 0, or the checkpoint's).", valueName: "N"))
    var seed: UInt64?
    @Flag(help: "Need less memory: compute most of the forward pass a second time. The result has the same bits.")
    var recompute = false
    @Option(
        help: ArgumentHelp(
            "Write a trace of steps 10 to 14 (of a shorter epoch its last five), for Perfetto or chrome://tracing.",
            valueName: "FILE.json"), completion: .file(extensions: ["json"]))
    var profile: String?

    @Option(
        help: ArgumentHelp("Read an epoch of training data and show how fast that is; train nothing.", valueName: "0|1")
    )
    var testIo: Int = 0

    @OptionGroup var run: RunOptions
    @OptionGroup var parameters: ParameterOptions

    private static let dtypes = ["float32", "bfloat16", "float16"]
    var precision: ElementType { ElementType(rawValue: dtype) ?? .float32 }

    /// The job's processes on this host, which divide its accelerators.
    var share: DeviceShare? { job.share }

    /// The number of images in a batch over all processes.
    var wholeBatchSize: Int { globalBatchSize ?? batchSize }

    /// Numbers that are part of the run, which may continue with other devices and processes.
    mutating func fillJob() throws {
        let processes = job.isShared ? Job.size : 1
        try machine.fill(processes: processes, share: share)
        if job.isShared, globalBatchSize == nil { globalBatchSize = batchSize * processes }
    }

    /// Refuses what is unsupported here.
    func check() throws {
        try machine.check(share: share)
        guard Self.dtypes.contains(dtype) else {
            throw UsageError(
                "--dtype \(dtype)", "is not supported",
                suggestion: "use bfloat16 or float16 on an accelerator (--devices), or leave it out")
        }
        try flagErrors { try lossScale?.check() }
        guard lossScale == nil || precision == .float16 else {
            throw UsageError(
                "--loss-scale", "goes with --dtype float16", suggestion: "leave it out, or give --dtype float16 too")
        }
        try job.check()
        if let globalBatchSize, globalBatchSize < 1 {
            throw UsageError("--global-batch-size", "is \(globalBatchSize)", suggestion: "it must be at least 1")
        }
        guard job.gcType != "2bit" || run.onNan != .skip else {
            throw UsageError(
                "--gc-type 2bit", "keeps what it does not send, so that a step cannot be dropped",
                suggestion: "leave out --on-nan skip")
        }
        try run.check()
        // More would overflow counts of updates.
        if let numEpochs, !(0...1_000_000).contains(numEpochs) {
            throw UsageError("--num-epochs", "is \(numEpochs)", suggestion: "it is at least 0, at most 1000000")
        }
        guard Optimizers.rule(named: optimizer) != nil else {
            throw UsageError(
                "--optimizer \(optimizer)", "is not known",
                suggestion: Spelling.suggestion(for: optimizer, among: Optimizers.names.sorted()))
        }
        _ = try flagErrors { try Initializers.fit(initializer, network: nil) }
        try schedule.check(optimizerWarmsUp: isLBSGD)
        try largeBatch.check(isLBSGD: isLBSGD, schedule)
        try updates.check()
        for (flag, value) in [("--mom", mom), ("--wd", wd)] {
            if let value, !value.isFinite { throw UsageError(flag, "is \(value)", suggestion: "give a number") }
            if let value, value < 0 { throw UsageError(flag, "is \(value)", suggestion: "it must not be negative") }
        }
    }

    var isLBSGD: Bool { optimizer.lowercased() == LBSGD.name }

    /// --num-classes, or the number of names; nil if neither is given.
    func classes(named names: [String]?) throws -> Int? {
        guard let names else { return numClasses }
        guard numClasses ?? names.count == names.count else {
            throw UsageError(
                "--num-classes \(numClasses ?? 0)", "there are names for \(names.count.counted("class"))",
                suggestion: "leave it out")
        }
        return names.count
    }

    /// - Parameter scores: what the network returns; cross-entropy is only defined for probabilities.
    func metrics(classes: Int, scores: ClassifierNetwork.Scores) throws -> CompositeMetric {
        var metrics: [any Metric] = [Accuracy()]
        if let topK = try topKMetric(topK, classes: classes, off: "leave it out") { metrics.append(topK) }
        guard scores == .probabilities else {
            if let loss, !loss.isEmpty {
                throw UsageError(
                    "--loss \(loss)", "is a mean over probabilities, the network gives other scores",
                    suggestion: "leave it out")
            }
            return CompositeMetric(metrics)
        }
        metrics.append(CrossEntropy())
        for name in loss?.split(separator: ",") ?? [] {
            switch name {
            case "ce": continue
            case "nll", "nll_loss": metrics.append(try Metrics.make("nll_loss"))
            default: throw UsageError("--loss \(name)", "is not known", suggestion: "it is ce or nll")
            }
        }
        return CompositeMetric(metrics)
    }
}

extension LossScaling: ExpressibleByArgument, Encodable {
    public init?(argument: String) {
        if argument == "dynamic" {
            self = .dynamic
        } else if let scale = Int(argument) {
            self = .constant(scale)
        } else {
            return nil
        }
    }

    public var defaultValueDescription: String {
        switch self {
        case .constant(let scale): "\(scale)"
        case .dynamic: "dynamic"
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(defaultValueDescription)
    }
}
