import AnnealCompiler
import AnnealCore
import AnnealGraph

/// A network with its parameters, an optimizer, and the plans for training and scoring batches of one shape.
///
/// ```swift
/// let trainer = try Trainer(symbol, dataShape: [3, 28, 28], batchSize: 128, optimizer: optimizer)
/// try trainer.initialize(Xavier(.gaussian, factor: .fanIn, magnitude: 2))
/// try trainer.fit(training: records, validation: others, epochs: 0..<10)
/// ```
/// Gradients are averaged over the batch, as MXNet's Module does: they are multiplied by the optimizer's `rescaleGradient`
/// and divided by the batch size (and the number of batches of an update). Not safe to use from two threads at once.
public final class Trainer {
    public let symbol: Symbol
    public let dataShape: Shape
    public let batchSize: Int
    /// The trainer's own, with the rule and settings of the one that it was given, which stays as it is.
    public let optimizer: Optimizer
    public let parameters: ParameterStore
    /// Parameters that get no update, and moving statistics that stay as they are.
    public let frozen: Set<String>
    /// Whether training takes rows of label probabilities, (batch, classes), in place of class numbers.
    public let softLabels: Bool
    /// Of initial values, data order, augmentation and dropout; saved with checkpoints.
    public let seed: UInt64
    /// Updates done, over all epochs; dropout's random numbers follow them.
    public package(set) var updates = 0 {
        didSet { countBatch() }
    }

    /// The number that the run's last update has if no step is dropped; nil while there is no run.
    package var lastUpdate: Int?

    /// Records the operations of the steps while it is set.
    package var timeline: Timeline? {
        didSet { watchOperations() }
    }

    /// Called after each operation of the steps with its number (`Executor.outputs(of:)`), on engines that run operations
    /// one by one.
    package var afterOperation: ((Int) -> Void)? {
        didSet { watchOperations() }
    }

    private func watchOperations() {
        let record = timeline?.around(training.operations)
        guard let afterOperation else {
            training.around = record
            return
        }
        training.around = { operation, run in
            if let record { record(operation, run) } else { run() }
            afterOperation(operation)
        }
    }

    package let training: Executor
    /// Whether a step that is not finite can be dropped.
    public let canDropSteps: Bool
    /// Batches whose gradients are averaged into one update.
    public let accumulation: Int
    /// Batches that wait in sums for an update.
    package internal(set) var gathered = 0 {
        didSet { countBatch() }
    }
    public let averaging: WeightAveraging?
    /// nil: gradients are not scaled.
    public let lossScaling: LossScaling?
    /// Of dynamic scaling.
    var scaler: LossScaler?
    /// Whether states that begin as copies of weights have their first values.
    var statesHaveStarted = false
    /// The symbol with its data, label and scores found.
    public let network: ClassifierNetwork
    private let labelName: String
    private var scorer: Scorer?
    /// Of the thread that made it, for the thread of an asynchronous `fit`.
    let threads = Parallel.threads

    /// - Parameters:
    ///   - symbol: a classifier. One that reads no label gets a `SoftmaxOutput` (`ClassifierNetwork.withLoss`).
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - frozen: parameters that get no gradient, no update and no weight decay. Batch norms whose gamma and beta are
    ///     both frozen, or one of whose moving statistics is, normalise by these statistics and leave them alone. Nothing
    ///     is computed for gradients that lead to frozen parameters only. A gamma under `fix_gamma` is set to 1 all the
    ///     same, as in MXNet.
    ///   - softLabels: training's labels are rows of probabilities, as a `SoftLabelSource` makes them, and the loss is
    ///     -sum(label * log p), whatever they sum to. Scoring takes class numbers as ever; `symbol` stays as it is.
    ///   - recomputation: what the backward pass may compute a second time to save memory. All choices give the same bits.
    ///   - averaging: weights that follow the trained ones, from their values before the first step on; if nil those of the
    ///     optimizer's chain.
    ///   - accumulation: batches whose gradients are averaged into one update.
    ///   - keepsGradients: whether `gradient` has every parameter's. Without it large parameters are updated within the
    ///     backward pass, so that their gradients need no memory of their own.
    ///   - canDropSteps: whether `FitOptions.onNonFinite` may be `.skip`. Every update waits until the step is known to be
    ///     finite then, and gradients need memory of their own.
    ///   - precision: of what flows between layers; weights, statistics and losses are float32 always.
    ///   - lossScaling: with float16 only; dynamic if nil.
    ///   - engine: what runs the steps.
    /// - Throws: `AnnealError`, with the code `outOfMemory` where the machine or a limit has less memory than is needed.
    package init(
        _ symbol: Symbol, dataShape: Shape, batchSize: Int, optimizer: Optimizer, frozen: Set<String> = [],
        seed: UInt64 = 0, softLabels: Bool = false, recomputation: Recomputation = .cheap,
        averaging: WeightAveraging? = nil, accumulation: Int = 1, keepsGradients: Bool = false,
        canDropSteps: Bool = false, precision: ElementType = .float32, lossScaling: LossScaling? = nil,
        engine: any Engine
    ) throws {
        try lossScaling?.check()
        guard lossScaling == nil || precision == .float16 else {
            throw AnnealError(
                "--loss-scale", "has no use with \(precision.rawValue), whose smallest numbers are small enough",
                suggestion: "leave it out, or give --dtype float16")
        }
        self.lossScaling = lossScaling ?? (precision == .float16 ? .dynamic : nil)
        if self.lossScaling == .dynamic { scaler = LossScaler() }
        guard batchSize > 0 else {
            throw AnnealError("--batch-size", "is \(batchSize)", suggestion: "it must be at least 1")
        }
        guard accumulation > 0 else {
            throw AnnealError("--accumulate", "is \(accumulation)", suggestion: "it must be at least 1")
        }
        let network = try ClassifierNetwork(symbol).withLoss()
        let symbol = network.symbol
        self.network = network
        labelName = network.labelName ?? ""
        _ = try network.classes(dataShape)
        let arguments = try symbol.argumentNames()
        self.symbol = symbol
        self.dataShape = dataShape
        self.batchSize = batchSize
        let optimizer = optimizer.fresh()
        self.optimizer = optimizer
        self.seed = seed
        self.softLabels = softLabels
        self.accumulation = accumulation
        let averaging = averaging ?? optimizer.rule.averaging
        self.averaging = averaging
        let canDropSteps = canDropSteps || scaler != nil
        self.canDropSteps = canDropSteps
        // The symbol's own multipliers, as in MXNet's Module; the caller's override them.
        optimizer.settings.multipliers = try Multipliers(symbol: symbol).merging(optimizer.settings.multipliers)
        let variables = Set(try network.parameterNames())
        if let stranger = frozen.subtracting(variables).min() {
            let near = Spelling.nearest(to: stranger, among: variables).joined(separator: ", ")
            throw AnnealError(
                "frozen parameter \(stranger)", "is not in the network", suggestion: "near are \(near)", code: .notFound
            )
        }
        let statistics = try symbol.frozenStatistics(frozen)
        self.frozen = frozen.union(statistics)
        let wanted = variables.intersection(arguments).subtracting(frozen)
        guard !wanted.isEmpty else {
            throw AnnealError("symbol", "has no parameter left to train", suggestion: "freeze fewer of them")
        }
        var trainedSymbol = try symbol.usingStoredStatistics(statistics)
        var inputs = [network.dataName: Shape([batchSize] + dataShape.dims)]
        if softLabels {
            trainedSymbol = try trainedSymbol.takingSoftLabels(labelName)
            inputs[labelName] = try symbol.inferShapes(inputs).outputs.first
        }
        var update = TrainingUpdate(optimizer.rule)
        update.accumulation = accumulation
        update.limitsNorm = optimizer.settings.clipNorm != nil
        update.averaging = averaging?.kind
        update.frozen = self.frozen
        update.isGuarded = canDropSteps
        update.keepsGradients = keepsGradients
        training = try Executor(
            trainedSymbol, inputs: inputs, mode: .training, gradients: wanted, recomputation: recomputation,
            precision: precision, update: update, engine: engine)
        training.seed = seed
        parameters = training.parameters
        try optimizer.bind(
            training.program.trained.compactMap { [parameters] name in
                parameters.shape(name).map { (name: name, shape: $0) }
            })
    }

    /// Bytes of the training plan's arena, known before the first step.
    public var plannedBytes: Int { training.plannedBytes }

    /// Plans the scoring of validation data, which `score` otherwise does when it is first called: so that a lack of memory
    /// shows before the first step.
    public func planScoring() throws { _ = try scorer(.none) }

    /// What training takes, and scoring if it is planned. The images of test-time views and what saving takes are not
    /// allocated yet.
    /// - Parameter views: the test-time augmentation of later scoring.
    public func memoryNeed(views: TestTimeViews = .none) -> MemoryNeed {
        var need = training.memoryNeed
        // Files are written array by array.
        let largest = parameters.entries.map(\.shape.count).max() ?? 0
        need.add("the largest array twice, while it is saved", bytes: 8 * largest)
        if let scorer { need.add(scorer.memoryNeed) }
        need.add(
            "images of test-time views",
            bytes: Scorer.bytes(of: views, batchSize: parameters.engine.rows(of: batchSize).count, dataShape))
        return need
    }

    /// Changes of layout inside a training step.
    public var relayouts: Int { training.relayouts }

    /// Gives every parameter its first value, but for those named in `except`.
    public func initialize(_ initializer: any Initializer, except: Set<String> = []) throws {
        try parameters.initialize(initializer, symbol: symbol, seed: seed, except: except)
    }

    /// The input memory of the next step, to be filled before it. Ask again for each step: some engines use another memory
    /// while the last one is uploaded.
    public func slot() throws -> BatchSlot { BatchSlot(data: try training.data(of: network), labels: try labels()) }

    /// As `slot`, for pixels where the source gives them and the engine takes them.
    package func slot(for source: any BatchSource) throws -> BatchSlot {
        guard let scaling = source.pixelScaling, let pixels = training.pixels(network.dataName, scaling) else {
            return try slot()
        }
        return BatchSlot(pixels: pixels, labels: try labels())
    }

    private func labels() throws -> UnsafeMutableBufferPointer<Float> {
        guard let labels = training.input(labelName) else {
            throw AnnealError("symbol", "does not use its label \(labelName)")
        }
        return labels
    }

    /// The outputs of a training batch, as they were before the update.
    func trainingBatch(_ results: any StepResults, rows: Int, _ body: (MetricBatch) throws -> Void) throws {
        try timed(.metrics) {
            try body(
                try results.batch(
                    output: network.outputIndex, labels: results.input(labelName), batchSize: batchSize, rows: rows,
                    softLabels: softLabels))
        }
    }

    /// The training loss's gradient of a parameter, for tests and monitors; large parameters have one with
    /// `keepsGradients` only.
    public func gradient(_ name: String) throws -> Tensor? { try training.gradient(name) }

    /// Scores every sample of the source exactly once, with the parameters as they are now or their moving averages.
    ///
    /// - Parameters:
    ///   - views: test-time augmentation: the views of each image whose scores are averaged.
    ///   - judged: gets each batch, as `Scorer.run` gives it.
    ///   - progress: called with the batches done so far.
    public func score(
        _ source: any BatchSource, metrics: CompositeMetric, views: TestTimeViews = .none,
        judged: (MetricBatch) throws -> Void = { _ in }, progress: (Int) throws -> Void = { _ in }
    ) throws -> [MetricValue] {
        try parameters.checkComplete()
        let scorer = try scorer(views)
        return try withValidatedWeights {
            try scorer.score(source, metrics: metrics, judged: judged, progress: progress)
        }
    }

    func scorer(_ views: TestTimeViews) throws -> Scorer {
        if let scorer, scorer.views == views { return scorer }
        // One plan's memory at a time.
        scorer = nil
        let made = try Scorer(
            network, dataShape: dataShape, batchSize: batchSize, parameters: parameters, views: views,
            engine: parameters.engine)
        scorer = made
        return made
    }
}
