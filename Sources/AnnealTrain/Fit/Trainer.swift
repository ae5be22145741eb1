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
/// Gradients are averaged over the batch, as in MXNet's Module: they are multiplied by the optimizer's
/// `rescaleGradient` and divided by the batch size (and the number of batches per update). Not safe to use from two
/// threads at the same time.
public final class Trainer {
    public let symbol: Symbol
    public let dataShape: Shape
    public let batchSize: Int
    /// The trainer's own copy, with the rule and settings of the given one, which does not change.
    public let optimizer: Optimizer
    public let parameters: ParameterStore
    /// Parameters without updates, and moving statistics that stay fixed.
    public let frozen: Set<String>
    /// Whether training uses rows of label probabilities, (batch, classes), instead of class numbers.
    public let softLabels: Bool
    /// For initial values, data order, augmentation and dropout; saved with checkpoints.
    public let seed: UInt64
    /// Updates done, over all epochs; dropout's random numbers depend on it.
    public package(set) var updates = 0 {
        didSet { countBatch() }
    }

    /// The number of the run's last update if no step is dropped; nil outside a run.
    package var lastUpdate: Int?

    /// If set, records the operations of the steps.
    package var timeline: Timeline? {
        didSet { watchOperations() }
    }

    /// Called after each operation of the steps with its index (`Executor.outputs(of:)`), on engines that run
    /// operations one by one.
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
    /// The state of dynamic loss scaling.
    var scaler: LossScaler?
    /// Whether states that begin as copies of weights are initialised.
    var statesHaveStarted = false
    /// The symbol, with the roles of its variables and outputs.
    public let network: ClassifierNetwork
    private let labelName: String
    private var scorer: Scorer?
    /// Of the thread that created it, for the thread of an asynchronous `fit`.
    let threads = Parallel.threads

    /// - Parameters:
    ///   - symbol: a classifier. One that reads no label gets a `SoftmaxOutput` (`ClassifierNetwork.withLoss`).
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - frozen: parameters without gradient, update and weight decay. Batch norms with gamma and beta both frozen,
    ///     or with a frozen moving statistic, normalise by their moving statistics and do not update them. Nothing is
    ///     computed for gradients that lead to frozen parameters only. A gamma under `fix_gamma` is set to 1 in any
    ///     case, as in MXNet.
    ///   - softLabels: training's labels are rows of probabilities, as from a `SoftLabelSource`, and the loss is
    ///     -sum(label * log p), whatever their sum is. Scoring uses class numbers as usual; `symbol` does not change.
    ///   - recomputation: what the backward pass may recompute to save memory. All choices give the same bits.
    ///   - averaging: weights that follow the trained ones, starting from their values before the first step; if nil,
    ///     the average of the optimizer's chain.
    ///   - accumulation: the number of batches that are averaged into one update.
    ///   - keepsGradients: whether `gradient` has every parameter's gradient. Otherwise large parameters are updated
    ///     within the backward pass, so that their gradients need no separate memory.
    ///   - canDropSteps: whether `FitOptions.onNonFinite` may be `.skip`. Then every update waits until the step is
    ///     known to be finite, and gradients need separate memory.
    ///   - precision: the type between layers; weights, statistics and losses are always float32.
    ///   - lossScaling: with float16 only; dynamic if nil.
    ///   - engine: the engine that runs the steps.
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
                "--loss-scale", "is not needed with \(precision.rawValue), which does not underflow as float16 does",
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
                "frozen parameter \(stranger)", "is not in the network", suggestion: "the closest are \(near)",
                code: .notFound
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

    /// Plans the scoring of validation data, which otherwise happens in the first call of `score`, so that a lack of
    /// memory shows before the first step.
    public func planScoring() throws { _ = try scorer(.none) }

    /// The memory of training, and of scoring if it is planned. The images of test-time views and the memory for saving
    /// are not allocated yet.
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

    /// Layout changes inside a training step.
    public var relayouts: Int { training.relayouts }

    /// Initialises every parameter except those named in `except`.
    public func initialize(_ initializer: any Initializer, except: Set<String> = []) throws {
        try parameters.initialize(initializer, symbol: symbol, seed: seed, except: except)
    }

    /// The input memory of the next step, to be filled before it. Ask again for each step: some engines use another
    /// buffer while the last one is uploaded.
    public func slot() throws -> BatchSlot { BatchSlot(data: try training.data(of: network), labels: try labels()) }

    /// As `slot`, for pixels if the source delivers them and the engine accepts them.
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

    /// The outputs of a training batch, from before the update.
    func trainingBatch(_ results: any StepResults, rows: Int, _ body: (MetricBatch) throws -> Void) throws {
        try timed(.metrics) {
            try body(
                try results.batch(
                    output: network.outputIndex, labels: results.input(labelName), batchSize: batchSize, rows: rows,
                    softLabels: softLabels))
        }
    }

    /// The training loss's gradient of a parameter, for tests and monitors; for large parameters only with
    /// `keepsGradients`.
    public func gradient(_ name: String) throws -> Tensor? { try training.gradient(name) }

    /// Scores every sample of the source exactly once, with the current parameters or their moving averages.
    ///
    /// - Parameters:
    ///   - views: test-time augmentation: the scores of these views of each image are averaged.
    ///   - judged: receives each batch, as `Scorer.run` passes it.
    ///   - progress: called with the number of batches done so far.
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
