import AnnealCore
import AnnealEngine
import AnnealGraph

/// Runs a classifier over batches of one shape in inference mode and counts how right it is.
public final class Scorer {
    public let parameters: ParameterStore
    public let batchSize: Int
    private let dataShape: Shape
    let views: TestTimeViews
    private let executor: Executor
    private let labelName: String
    /// The batch before its views are made of it.
    private var images: [Float] = []
    private var mean = ViewMean()

    /// - Parameters:
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - parameters: the store of a trainer of the same network; a new one if nil, to be set before the first pass and
    ///     not to be read after it (`keepsParameters` of `Executor`).
    ///   - views: more than one want a network whose output is a softmax.
    public init(
        _ symbol: Symbol, dataShape: Shape, batchSize: Int, parameters: ParameterStore? = nil,
        views: TestTimeViews = .none
    ) throws {
        labelName = try ClassifierSymbol.labelName(symbol)
        try ClassifierSymbol.check(symbol, dataShape, takes: views)
        self.batchSize = batchSize
        self.dataShape = dataShape
        self.views = views
        executor = try Executor(
            symbol, inputs: [ClassifierSymbol.dataName: Shape([batchSize] + dataShape.dims)], mode: .inference,
            parameters: parameters, keepsParameters: parameters != nil)
        self.parameters = executor.parameters
        if views != .none { images = Array(repeating: 0, count: batchSize * dataShape.count) }
    }

    /// Scores every sample of the source exactly once.
    /// - Parameter progress: called with the batches done so far.
    public func score(
        _ source: any BatchSource, metrics: CompositeMetric, progress: (Int) throws -> Void = { _ in }
    ) throws -> [MetricValue] {
        var metrics = metrics
        metrics.reset()
        var batches = 0
        try run(source) { batch in
            try metrics.update(batch)
            batches += 1
            try progress(batches)
        }
        return metrics.results
    }

    /// Runs the network over the source's first epoch: `body` gets each batch's outputs and labels, which are valid
    /// only inside it.
    public func run(_ source: any BatchSource, _ body: (MetricBatch) throws -> Void) throws {
        let slot = try ClassifierSymbol.slot(of: executor, labelName)
        try source.start(epoch: 0, atBatch: 0)
        while case let rows = try source.next(into: slot), rows > 0 {
            if views == .none {
                try executor.forward()
                try withBatch(rows: rows, body)
            } else {
                try judge(slot, rows: rows, body)
            }
        }
    }

    /// Runs the network over every view of a batch.
    private func judge(_ slot: BatchSlot, rows: Int, _ body: (MetricBatch) throws -> Void) throws {
        // Running may overwrite the slot.
        images.replaceSubrange(images.indices, with: slot.data)
        mean.reset()
        var classes = 1
        for view in views.views {
            images.withUnsafeBufferPointer {
                view.write($0, to: slot.data, height: dataShape[1], width: dataShape[2])
            }
            try executor.forward()
            try withBatch(rows: rows) {
                mean.add($0, weight: view.weight)
                classes = $0.classes
            }
        }
        try mean.withBatch(labels: slot.labels, rows: rows, classes: classes, body)
    }

    private func withBatch(rows: Int, _ body: (MetricBatch) throws -> Void) throws {
        try ClassifierSymbol.withBatch(executor, labelName, batchSize: batchSize, rows: rows, body)
    }
}

/// What training and scoring ask of a symbol: one input `data`, one label, one output of (batch, classes).
enum ClassifierSymbol {
    static let dataName = "data"

    static func labelName(_ symbol: Symbol) throws -> String {
        let arguments = try symbol.argumentNames()
        let labels = arguments.filter { $0.hasSuffix("label") }
        guard arguments.contains(dataName), labels.count == 1 else {
            throw AnnealError(
                "symbol",
                "has the labels \(labels), and \(arguments.contains(dataName) ? "an" : "no") input named data",
                suggestion: "a classifier has one input 'data' and one variable that ends in 'label'")
        }
        return labels[0]
    }

    /// Refuses views of what is no image, or for outputs that are no probabilities.
    static func check(_ symbol: Symbol, _ dataShape: Shape, takes views: TestTimeViews) throws {
        guard views != .none else { return }
        let place = "test-time views \(views.rawValue)"
        guard dataShape.rank == 3 else {
            throw AnnealError(place, "are of images, the data is \(dataShape)", suggestion: "leave them out")
        }
        let operation = symbol.outputs.first?.node.operation ?? "a variable"
        guard operation.lowercased().contains("softmax") else {
            throw AnnealError(
                place, "average probabilities, the network's output is \(operation)", suggestion: "leave them out")
        }
    }

    static func slot(of executor: Executor, _ labelName: String) throws -> BatchSlot {
        guard let data = executor.input(dataName), let labels = executor.input(labelName) else {
            throw AnnealError("symbol", "does not use its inputs \(dataName) and \(labelName)")
        }
        return BatchSlot(data: data, labels: labels)
    }

    static func withBatch(
        _ executor: Executor, _ labelName: String, batchSize: Int, rows: Int, softLabels: Bool = false,
        _ body: (MetricBatch) throws -> Void
    ) throws {
        guard let outputs = executor.outputMemory(), let labels = executor.input(labelName) else {
            throw AnnealError("symbol", "has an output that is not (batch, classes)")
        }
        try body(
            MetricBatch(
                labels: UnsafeBufferPointer(labels), outputs: outputs, rows: rows, classes: outputs.count / batchSize,
                labelsAreProbabilities: softLabels))
    }
}
