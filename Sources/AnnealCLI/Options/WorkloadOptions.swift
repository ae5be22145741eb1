import Anneal
import AnnealMPI
import ArgumentParser

/// Which network `bench-step` and `profile` run on random data, and how.
struct WorkloadOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("One of \(Networks.names.joined(separator: ", ")).", valueName: "NAME"),
        completion: .list(Networks.names))
    var network: String?
    @Option(help: ArgumentHelp("Depth of the network.", valueName: "N"))
    var numLayers: Int?
    @Option(help: ArgumentHelp("Classes (default: 10).", valueName: "N"))
    var numClasses: Int?
    @Option(
        help: ArgumentHelp("'imagenet' builds the network for 224x224 images and feeds it others.", valueName: "TRUNK"),
        completion: .list(["imagenet"]))
    var trunk: String?
    @Option(
        help: ArgumentHelp(
            "In place of --network: a model, by its PREFIX, its run's folder or a .params file.", valueName: "MODEL"))
    var model: String?
    @Option(help: CheckpointChoice.help)
    var loadEpoch: CheckpointChoice?
    @Option(help: ArgumentHelp("Shape of the images that are fed (default: the model's).", valueName: "C,H,W"))
    var imageShape: String?
    @Option(help: ArgumentHelp("Images of a step, of each process.", valueName: "N"))
    var batchSize: Int = 128
    @Flag(help: "Forward passes of inference in place of training steps.")
    var inference = false
    @Flag(help: "Compute most of the forward pass a second time to need less memory.")
    var recompute = false
    @Option(
        help: ArgumentHelp(
            "Of what flows between layers: float32, or on accelerators bfloat16 or float16.", valueName: "TYPE"),
        completion: .list(["float32", "bfloat16", "float16"]))
    var dtype: String = "float32"
    @OptionGroup var machine: DeviceOptions
    @OptionGroup var job: JobOptions
    @Option(help: ArgumentHelp("Steps that count, after two that do not.", valueName: "N"))
    var steps: Int = 5

    /// Does something with the network that the flags select.
    /// - Parameters:
    ///   - step: what its training steps do besides a plain update.
    ///   - body: receives it, and the processes that share each batch; nil: only this one.
    func run(
        _ step: Workload.StepSettings = Workload.StepSettings(), _ body: (Workload, MPIGroup?) throws -> Void
    ) throws {
        guard !inference || step == Workload.StepSettings() else {
            throw UsageError("--inference", "has no updates", suggestion: "leave out the flags of training steps")
        }
        try check()
        try Job.run(job) { group in try body(makeWorkload(step, group), group) }
    }

    private func check() throws {
        guard (1...1_000_000).contains(steps) else {
            throw UsageError("--steps", "is \(steps)", suggestion: "it must be at least 1, at most 1000000")
        }
        guard (1...1 << 24).contains(batchSize) else {
            throw UsageError("--batch-size", "is \(batchSize)", suggestion: "it is 1 to 16777216")
        }
        guard let precision, precision != .uint8 else {
            throw UsageError("--dtype \(dtype)", "is not supported", suggestion: "it is float32, bfloat16 or float16")
        }
        try machine.check(share: job.share)
        try job.check()
    }

    private func makeWorkload(_ step: Workload.StepSettings, _ group: MPIGroup?) throws -> Workload {
        let source: Workload.Source, shape: [Int]
        switch (network, model) {
        case (let network?, nil):
            shape = try shapeOfImages()
            source = .new(network, try symbol(network, shape))
        case (nil, let model?):
            source = try checkpoint(model)
            shape = try shapeOfImages()
        default: throw UsageError("--network", "and --model are both given, or none", suggestion: "give one of them")
        }
        return try Workload(
            source, shape: shape, batchSize: batchSize * (group?.size ?? 1), inference: inference,
            recomputation: recompute ? .full : .cheap, precision: precision ?? .float32, step: step,
            device: machine.device(
                group: group, share: job.share, bucketBytes: job.bucketBytes, compression: job.compression))
    }

    private var precision: ElementType? { ElementType(rawValue: dtype) }

    private func shapeOfImages() throws -> [Int] {
        if let imageShape { return try parseImageShape(imageShape) }
        guard let shape = try model.flatMap({ try SavedModel.network($0).imageShape }) else {
            throw UsageError("--image-shape", "is missing", suggestion: "write it as 3,28,28")
        }
        return shape
    }

    private func symbol(_ network: String, _ shape: [Int]) throws -> Symbol {
        guard trunk == nil || trunk == "imagenet" else {
            throw UsageError("--trunk", "is not known", suggestion: "it is imagenet")
        }
        return try flagErrors {
            try Networks.symbol(
                network,
                NetworkOptions(
                    numClasses: numClasses ?? 10, imageShape: trunk == nil ? shape : [3, 224, 224],
                    numLayers: numLayers))
        }
    }

    private func checkpoint(_ model: String) throws -> Workload.Source {
        guard numLayers == nil, numClasses == nil, trunk == nil else {
            throw UsageError("--num-layers, --num-classes and --trunk", "go with --network, not with --model")
        }
        let saved = try SavedModel(model, loadEpoch)
        let shape = try imageShape.map(parseImageShape)
        return .trained(try saved.content(imageShape: shape).checkpoint, place: saved.parametersPath)
    }
}
