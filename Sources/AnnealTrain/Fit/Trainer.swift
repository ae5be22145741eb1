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
        didSet { training.around = timeline?.around(operations) }
    }

    package let training: Executor
    /// What has arrays of its own in the state of a run.
    public var stateHolders: [any StateHolder] = []

    let trained: [OptimizedParameter]
    let gradientCheck = GradientCheck()
    /// Those that the backward pass updates.
    let updatedEarly: Set<Int>
    package let average: AveragedWeights?
    /// Batches whose gradients are averaged into one update.
    public let accumulation: Int
    package let gathered: GradientAccumulator?
    /// What of the symbol is what.
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
    ///   - averaging: weights that follow the trained ones, from their values before the first step on.
    ///   - accumulation: batches whose gradients are averaged into one update.
    ///   - keepsGradients: whether `gradient` has every parameter's. Without it the backward pass updates large
    ///     parameters itself, so that their gradients need no memory of their own.
    ///   - engine: what runs the steps.
    /// - Throws: `AnnealError`, with the code `outOfMemory` where the machine or a limit has less memory than is needed.
    package init(
        _ symbol: Symbol, dataShape: Shape, batchSize: Int, optimizer: Optimizer, frozen: Set<String> = [],
        seed: UInt64 = 0, softLabels: Bool = false, recomputation: Recomputation = .cheap,
        averaging: WeightAveraging? = nil, accumulation: Int = 1, keepsGradients: Bool = false,
        engine: any Engine
    ) throws {
        guard batchSize > 0 else {
            throw AnnealError("--batch-size", "is \(batchSize)", suggestion: "it must be at least 1")
        }
        guard accumulation > 0 else {
            throw AnnealError("--accumulate", "is \(accumulation)", suggestion: "it must be at least 1")
        }
        // Both need every gradient before the first update.
        let keepsGradients = keepsGradients || accumulation > 1 || optimizer.settings.clipNorm != nil
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
        // What the symbol says of its parameters, as MXNet's Module does; the caller has the last word.
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
        let training = try Executor(
            trainedSymbol, inputs: inputs, mode: .training,
            gradients: wanted, parameters: nil, recomputation: recomputation,
            earlyUpdates: keepsGradients ? nil : Optimizer.largeParameter,
            plainParameters: optimizer.rule.wantsRows, engine: engine)
        training.seed = seed
        self.training = training
        parameters = training.parameters
        average = try averaging.map { [frozen = self.frozen] in
            try AveragedWeights($0, training.parameters, except: frozen)
        }
        let trained: [OptimizedParameter] = training.parameters.entries.compactMap { entry in
            guard !entry.isAuxiliary, let gradient = training.gradientMemory(entry.name) else { return nil }
            return OptimizedParameter(
                name: entry.name, count: entry.elements, weight: entry.memory, gradient: gradient,
                rowLength: entry.layout == .plain && entry.shape.rank > 0 ? entry.shape.count / entry.shape[0] : nil)
        }
        self.trained = trained
        gathered = accumulation > 1 ? try GradientAccumulator(trained, training.parameters) : nil
        let places = Dictionary(trained.enumerated().map { ($1.name, $0) }) { first, _ in first }
        let early = training.updatedParameters.compactMap { places[$0] }
        updatedEarly = Set(early)
        training.update = { [gradientCheck] in
            // The last moment at which this gradient is there.
            gradientCheck.look(at: trained, early[$0])
            optimizer.update(trained, only: early[$0])
        }
        if let average { stateHolders.append(average) }
        if let gathered { stateHolders.append(gathered) }
    }

    /// Bytes of the training plan's arena, known before the first step.
    public var plannedBytes: Int { training.plannedBytes }

    /// Plans the scoring of validation data, which `score` otherwise does when it is first called: so that a lack of memory
    /// shows before the first step.
    public func planScoring() throws { _ = try scorer(.none) }

    /// What training takes, and scoring if it is planned. The optimizer's state, the images of test-time views and what saving
    /// takes are not allocated yet.
    /// - Parameter views: what scoring will be asked for.
    public func memoryNeed(views: TestTimeViews = .none) -> MemoryNeed {
        var need = training.memoryNeed
        let floats = trained.reduce(0) { $0 + $1.count }
        need.add("the optimizer's state", bytes: 4 * optimizer.rule.stateCount * floats)
        if average != nil { need.add("averaged weights", bytes: 4 * floats, isMapped: true) }
        if gathered != nil { need.add("gradients of several batches", bytes: 4 * floats, isMapped: true) }
        // Files are written array by array.
        let largest = parameters.entries.map(\.elements).max() ?? 0
        need.add("the largest array twice, while it is saved", bytes: 8 * largest)
        if let scorer { need.add(scorer.memoryNeed) }
        need.add("images of test-time views", bytes: Scorer.bytes(of: views, batchSize: batchSize, dataShape))
        return need
    }

    /// Changes of layout inside a training step.
    public var relayouts: Int { training.relayouts }

    /// Gives every parameter its first value, but for those named in `except`.
    public func initialize(_ initializer: any Initializer, except: Set<String> = []) throws {
        try parameters.initialize(initializer, symbol: symbol, seed: seed, except: except)
    }

    /// One training step on what the slot holds: forward, backward, and, when the gradients of `accumulation` batches are
    /// there, the update. Nothing is allocated.
    /// - Throws: also when `initialize` has not been called and no values have been loaded.
    public func step() throws {
        try parameters.checkComplete()
        try forward()
        try backward()
        try update()
    }

    func forward() throws { try training.forward() }

    /// Large parameters are updated on the way, as soon as their gradients are there.
    func backward() throws {
        average?.begin()
        if !updatedEarly.isEmpty { try optimizer.begin(trained, rescale: rescale(batches: 1)) }
        try training.backward()
    }

    /// Updates what the backward pass has not, if all batches of the update are there.
    package func update() throws {
        defer { timeline?.endStep() }
        if let gathered {
            gathered.add()
            guard gathered.batches == accumulation else { return countBatch() }
        }
        try apply()
    }

    /// Ends an epoch: gradients that wait for further batches become an update. `fit` calls it; a loop over `step` of one's
    /// own does, where updates are of several batches (`accumulation`).
    public func updateRest() throws {
        if !isBetweenUpdates { try apply() }
    }

    /// One update with the gradients of the last batch, or with those that are gathered.
    private func apply() throws {
        var ready = trained, batches = 1
        if let gathered {
            ready = gathered.sums
            batches = gathered.batches
            gathered.reset()
        }
        if updatedEarly.isEmpty { try optimizer.begin(ready, rescale: rescale(batches: batches)) }
        timed(updateOperation) { optimizer.finish(ready, updated: updatedEarly) }
        updates += 1
        average?.follow(update: updates, last: lastUpdate)
        parameters.noteChange()
    }

    /// Makes the gradient of the mean over the images of so many batches.
    private func rescale(batches: Int) -> Double {
        optimizer.settings.rescaleGradient / Double(batchSize) / Double(batches)
    }

    /// Ends a run: with lookahead the slow weights take the trained ones' place. `fit` calls it, as does a loop of one's own.
    public func endRun() {
        average?.end()
        parameters.noteChange()
    }

    /// Every batch has random numbers of its own.
    private func countBatch() { training.step = updates * accumulation + (gathered?.batches ?? 0) }

    /// Whether no gradients wait for those of further batches.
    var isBetweenUpdates: Bool { (gathered?.batches ?? 0) == 0 }

    /// The updates of an epoch of so many batches.
    func updates(batches: Int) -> Int { (batches + accumulation - 1) / accumulation }

    /// Runs `body` with the weights that are validated and saved in the store: the moving averages, if there are any.
    package func withValidatedWeights<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard let average else { return try body() }
        return try average.replacingWeights(body)
    }

    /// The input memory of training, to be filled before `step`.
    public func slot() throws -> BatchSlot { BatchSlot(data: try training.data(of: network), labels: try labels()) }

    private func labels() throws -> UnsafeMutableBufferPointer<Float> {
        guard let labels = training.input(labelName) else {
            throw AnnealError("symbol", "does not use its label \(labelName)")
        }
        return labels
    }

    /// The outputs of the last training batch, as they were before the update.
    func trainingBatch(rows: Int, _ body: (MetricBatch) throws -> Void) throws {
        try timed(.metrics) {
            try body(
                try training.batch(
                    output: network.outputIndex, labels: labels(), batchSize: batchSize, rows: rows,
                    softLabels: softLabels))
        }
    }

    /// The training loss's gradient of a parameter, for tests and monitors; large parameters have one with
    /// `keepsGradients` only.
    public func gradient(_ name: String) throws -> Tensor? { try training.gradient(name) }

    /// Scores every sample of the source exactly once, with the parameters as they are now or their moving averages.
    ///
    /// - Parameters:
    ///   - views: what the network judges together of each image.
    ///   - progress: called with the batches done so far.
    public func score(
        _ source: any BatchSource, metrics: CompositeMetric, views: TestTimeViews = .none,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> [MetricValue] {
        try parameters.checkComplete()
        let scorer = try scorer(views)
        return try withValidatedWeights { try scorer.score(source, metrics: metrics, progress: progress) }
    }

    private func scorer(_ views: TestTimeViews) throws -> Scorer {
        if let scorer, scorer.views == views { return scorer }
        // One plan's memory at a time.
        scorer = nil
        let made = try Scorer(
            network, dataShape: dataShape, batchSize: batchSize, parameters: parameters, views: views,
            engine: parameters.sharedEngine)
        scorer = made
        return made
    }
}
