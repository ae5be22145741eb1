import AnnealCompiler
import AnnealCore
import AnnealGraph
import Foundation

/// Runs a classifier in inference mode over batches of one shape and computes metrics.
public final class Scorer {
    public let parameters: ParameterStore
    public let batchSize: Int
    /// The symbol, with the roles of its variables and outputs.
    public let network: ClassifierNetwork
    private let dataShape: Shape
    let views: TestTimeViews
    private let executor: Executor
    /// (batch,): in inference the network itself reads no labels.
    private let labels: UnsafeMutableBufferPointer<Float>
    /// The labels of the rows that this process computes.
    private let ownLabels: UnsafeMutableBufferPointer<Float>
    private let engine: any Engine
    /// The batch before its views are made; empty without views.
    private let images: UnsafeMutableBufferPointer<Float>
    private var mean = ViewMean()
    private var results: (any StepResults)?

    /// - Parameters:
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - parameters: the store of a trainer of the same network; if nil a new one, to be set before the first pass
    ///     and not to be read after it (`keepsParameters` of `Executor`).
    ///   - views: more than one require a network that ends in a softmax.
    ///   - engine: the engine of the store, if one is given.
    /// - Throws: if the network's output is not (batch, classes).
    package init(
        _ network: ClassifierNetwork, dataShape: Shape, batchSize: Int, parameters: ParameterStore? = nil,
        views: TestTimeViews = .none, engine: any Engine
    ) throws {
        guard batchSize >= 1 else {
            throw AnnealError("batch size", "is \(batchSize)", suggestion: "it must be at least 1")
        }
        try network.check(dataShape, takes: views)
        _ = try network.classes(dataShape)
        self.network = network
        self.batchSize = batchSize
        self.dataShape = dataShape
        self.views = views
        executor = try Executor(
            network.scoring, inputs: [network.dataName: Shape([batchSize] + dataShape.dims)], mode: .inference,
            parameters: parameters, keepsParameters: parameters != nil, engine: engine)
        self.parameters = executor.parameters
        labels = UnsafeMutableBufferPointer(start: try allocateFloats(batchSize, for: "labels"), count: batchSize)
        let rows = executor.parameters.engine.rows(of: batchSize)
        self.engine = executor.parameters.engine
        ownLabels = UnsafeMutableBufferPointer(rebasing: labels[rows])
        let imageFloats = Self.bytes(of: views, batchSize: rows.count, dataShape) / 4
        do {
            images = UnsafeMutableBufferPointer(
                start: try allocateFloats(imageFloats, for: "images of test-time views"), count: imageFloats)
        } catch {
            free(labels.baseAddress)
            throw error
        }
    }

    deinit {
        free(labels.baseAddress)
        free(images.baseAddress)
    }

    /// The memory that it has allocated and will use.
    public var memoryNeed: MemoryNeed {
        var need = executor.memoryNeed
        need.add("images of test-time views", bytes: 4 * images.count, isMapped: true)
        return need
    }

    /// A copy of a batch while its views are evaluated.
    static func bytes(of views: TestTimeViews, batchSize: Int, _ dataShape: Shape) -> Int {
        views == .none ? 0 : 4 * batchSize * dataShape.count
    }

    /// Scores every sample of the source exactly once.
    /// - Parameters:
    ///   - judged: receives each batch, as `run` passes it.
    ///   - progress: called with the number of batches done so far.
    public func score(
        _ source: any BatchSource, metrics: CompositeMetric, judged: (MetricBatch) throws -> Void = { _ in },
        progress: (Int) throws -> Void = { _ in }
    ) throws -> [MetricValue] {
        var metrics = metrics
        metrics.reset()
        var batches = 0
        try run(source) { batch in
            try metrics.update(batch)
            try judged(batch)
            batches += 1
            try progress(batches)
        }
        return metrics.results
    }

    /// Runs the network over the source's first epoch: `body` receives each batch's outputs and labels, which are valid
    /// only during the call.
    public func run(_ source: any BatchSource, _ body: (MetricBatch) throws -> Void) throws {
        try parameters.checkComplete()
        try source.start(epoch: 0, atBatch: 0)
        while true {
            let slot = try slot(for: source), rows = try source.next(into: slot)
            guard rows > 0 else { return }
            try run(rows: rows, in: slot, body)
        }
    }

    /// The input memory of the network.
    package func slot() throws -> BatchSlot { BatchSlot(data: try executor.data(of: network), labels: ownLabels) }

    /// Lets an engine that compiles programs do so now.
    public func prepare(_ source: any BatchSource) throws {
        _ = try slot(for: source)
        try executor.prepare(.forward)
    }

    /// Views are made from floats.
    private func slot(for source: any BatchSource) throws -> BatchSlot {
        guard views == .none, let scaling = source.pixelScaling,
            let pixels = executor.pixels(network.dataName, scaling)
        else { return try slot() }
        return BatchSlot(pixels: pixels, labels: ownLabels)
    }

    /// Runs the network over the contents of the slot, as `run` does for each batch of a source.
    package func run(rows: Int, in slot: BatchSlot, _ body: (MetricBatch) throws -> Void) throws {
        try engine.gather(UnsafeBufferPointer(ownLabels), batch: batchSize, into: labels)
        guard views != .none else {
            results = try executor.run(.forward)
            return try withBatch(rows: rows, body)
        }
        try judge(slot, rows: rows, body)
    }

    /// Runs the network over every view of a batch.
    private func judge(_ slot: BatchSlot, rows: Int, _ body: (MetricBatch) throws -> Void) throws {
        // Running may overwrite the slot.
        _ = images.update(from: slot.data)
        mean.reset()
        var classes = 1
        for view in views.views {
            view.write(
                UnsafeBufferPointer(images), to: try self.slot().data, height: dataShape[1], width: dataShape[2])
            results = try executor.run(.forward)
            try withBatch(rows: rows) {
                mean.add($0, weight: view.weight)
                classes = $0.classes
            }
        }
        try mean.withBatch(labels: labels, rows: rows, classes: classes, body)
    }

    private func withBatch(rows: Int, _ body: (MetricBatch) throws -> Void) throws {
        guard let results else { return }
        try body(
            try results.batch(
                output: 0, labels: UnsafeBufferPointer(labels), batchSize: batchSize, rows: rows))
    }
}

extension ClassifierNetwork {
    /// Refuses views of data that is not images, or with outputs that are not probabilities.
    func check(_ dataShape: Shape, takes views: TestTimeViews) throws {
        guard views != .none else { return }
        let place = "test-time views \(views.rawValue)"
        guard dataShape.rank == 3 else {
            throw AnnealError(place, "require images, but the data is \(dataShape)", suggestion: "leave them out")
        }
        guard scores == .probabilities else {
            throw AnnealError(
                place, "average probabilities, but the network ends in \(ending)", suggestion: "leave them out")
        }
    }
}

extension Executor {
    /// The input memory of a classifier.
    func data(of network: ClassifierNetwork) throws -> UnsafeMutableBufferPointer<Float> {
        guard let data = input(network.dataName) else {
            throw AnnealError("symbol", "does not use its input \(network.dataName)")
        }
        return data
    }
}

extension StepResults {
    /// The scores of a run, with the labels.
    func batch(
        output: Int, labels: UnsafeBufferPointer<Float>?, batchSize: Int, rows: Int, softLabels: Bool = false
    ) throws -> MetricBatch {
        guard let outputs = try self.output(output), let labels else {
            throw AnnealError("symbol", "has an output that is not (batch, classes)")
        }
        return MetricBatch(
            labels: labels, outputs: outputs, rows: rows, classes: outputs.count / batchSize,
            labelsAreProbabilities: softLabels)
    }
}
