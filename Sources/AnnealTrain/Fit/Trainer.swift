import AnnealCore
import AnnealEngine
import AnnealGraph

/// A network with its parameters, an optimizer, and the plans for training and scoring batches of one shape.
///
/// ```swift
/// let trainer = try Trainer(symbol, dataShape: [3, 28, 28], batchSize: 128, optimizer: optimizer)
/// try trainer.initialize(Xavier(.gaussian, factor: .fanIn, magnitude: 2))
/// try trainer.fit(training: records, validation: others, epochs: 0..<10)
/// ```
/// Gradients are averaged over the batch, as MXNet's Module does: the optimizer's `rescaleGradient` is divided by the
/// batch size. Not safe to use from two threads at once.
public final class Trainer {
    public let symbol: Symbol
    public let dataShape: Shape
    public let batchSize: Int
    public let optimizer: Optimizer
    public let parameters: ParameterStore
    /// Of initial values, data order, augmentation and dropout; saved with checkpoints.
    public let seed: UInt64
    /// Updates done, over all epochs; dropout's random numbers follow them.
    public internal(set) var updates = 0 {
        didSet { training.step = updates }
    }

    let training: Executor
    let trained: [OptimizedParameter]
    private let labelName: String
    private var scorer: Scorer?

    /// - Parameters:
    ///   - symbol: with one data input and one label input, which ends in `label`.
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - frozen: parameters that get no gradient and no update.
    public init(
        _ symbol: Symbol, dataShape: Shape, batchSize: Int, optimizer: Optimizer, frozen: Set<String> = [],
        seed: UInt64 = 0
    ) throws {
        guard batchSize > 0 else { throw AnnealError("--batch-size", "is \(batchSize)", mend: "it must be at least 1") }
        let arguments = try symbol.argumentNames()
        labelName = try Classifier.labelName(symbol)
        self.symbol = symbol
        self.dataShape = dataShape
        self.batchSize = batchSize
        self.optimizer = optimizer
        self.seed = seed
        optimizer.settings.rescaleGradient /= Double(batchSize)
        let wanted = Set(arguments).subtracting(frozen).subtracting([Classifier.dataName, labelName])
        let training = try Executor(
            symbol, inputs: [Classifier.dataName: Shape([batchSize] + dataShape.dims)], mode: .training,
            gradients: wanted)
        training.seed = seed
        self.training = training
        parameters = training.parameters
        trained = training.parameters.entries.compactMap { entry in
            guard !entry.isAuxiliary, let gradient = training.gradientMemory(entry.name) else { return nil }
            return OptimizedParameter(name: entry.name, count: entry.elements, weight: entry.memory, gradient: gradient)
        }
    }

    /// Bytes of the training plan's arena, known before the first step.
    public var plannedBytes: Int { training.plannedBytes }
    /// Changes of layout inside a training step.
    public var relayouts: Int { training.steps.reduce(0) { $0 + $1.reorders } }

    /// Gives every parameter its first value, but for those named in `except`.
    public func initialize(_ initializer: any Initializer, except: Set<String> = []) throws {
        let attributes = Dictionary(
            symbol.nodes.filter(\.isVariable).map { ($0.name, $0.attributes) }, uniquingKeysWith: { first, _ in first })
        for name in parameters.names where !except.contains(name) {
            guard let shape = parameters.shape(name) else { continue }
            let value = try initializer.parameter(name, shape, attributes: attributes[name] ?? [:], seed: seed)
            try parameters.set(name, value)
        }
    }

    /// One training step on what the slot holds: forward, backward, update. Nothing is allocated.
    public func step() throws {
        try training.forward()
        try training.backward()
        try update()
    }

    func update() throws {
        try optimizer.step(trained)
        parameters.noteChange()
        updates += 1
    }

    /// The input memory of training, to be filled before `step`.
    public func slot() throws -> BatchSlot { try Classifier.slot(of: training, labelName) }

    /// The outputs of the last training batch, as they were before the update.
    func trainingBatch(rows: Int, _ body: (MetricBatch) throws -> Void) throws {
        try Classifier.withBatch(training, labelName, batchSize: batchSize, rows: rows, body)
    }

    /// The training loss's gradient of a parameter, for tests and monitors.
    public func gradient(_ name: String) throws -> Tensor? { try training.gradient(name) }

    /// Scores every sample of the source exactly once, with the parameters as they are now.
    ///
    /// - Parameter progress: called with the batches done so far.
    public func score(
        _ source: any BatchSource, metrics: CompositeMetric, progress: (Int) throws -> Void = { _ in }
    ) throws -> [MetricValue] {
        let scorer =
            try scorer ?? Scorer(symbol, dataShape: dataShape, batchSize: batchSize, parameters: parameters)
        self.scorer = scorer
        return try scorer.score(source, metrics: metrics, progress: progress)
    }
}
