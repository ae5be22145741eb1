import Anneal
import Foundation
import Synchronization

/// A folder that is removed with the test.
final class StateFolder {
    let path: String
    var prefix: String { path + "/m" }

    init() throws {
        path = NSTemporaryDirectory() + "anneal-state-\(UUID().uuidString)"
        try Files.makeFolder(path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A network with batch norm and dropout on twenty samples: five updates per epoch.
enum SmallRun {
    static func trainer(
        seed: UInt64 = 1, batchSize: Int = 4, canDropSteps: Bool = false, hidden: Int = 8,
        averaging: WeightAveraging? = nil, accumulation: Int = 1
    ) throws -> Trainer {
        let builder = SymbolBuilder()
        let normal = try builder.apply("BatchNorm", name: "bn", inputs: [.variable("data")], attributes: [:])
        let hidden = try builder.fullyConnected(normal, numHidden: hidden, name: "hidden")
        let dropped = try builder.apply("Dropout", name: "drop", inputs: [hidden], attributes: ["p": "0.3"])
        let symbol = try builder.softmaxOutput(
            builder.fullyConnected(dropped, numHidden: 3, name: "out"), name: "softmax")
        return try ready(
            symbol, batchSize, seed: seed, canDropSteps: canDropSteps, averaging: averaging,
            accumulation: accumulation)
    }

    /// Its output is finite whatever the labels are; its gradients are not finite if a label is not.
    static func regression(canDropSteps: Bool, hidden: Int = 8) throws -> Trainer {
        let builder = SymbolBuilder()
        let normal = try builder.apply("BatchNorm", name: "bn", inputs: [.variable("data")], attributes: [:])
        let hidden = try builder.fullyConnected(normal, numHidden: hidden, name: "hidden")
        let symbol = try builder.apply(
            "LinearRegressionOutput", name: "line",
            inputs: [builder.fullyConnected(hidden, numHidden: 1, name: "out")], attributes: [:])
        return try ready(symbol, 4, seed: 1, canDropSteps: canDropSteps)
    }

    private static func ready(
        _ symbol: Symbol, _ batchSize: Int, seed: UInt64, canDropSteps: Bool, averaging: WeightAveraging? = nil,
        accumulation: Int = 1
    ) throws -> Trainer {
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9, "wd": 0.01])
        let trainer = try Trainer(
            symbol, dataShape: [6], batchSize: batchSize, optimizer: optimizer, seed: seed,
            averaging: averaging, accumulation: accumulation, canDropSteps: canDropSteps)
        try trainer.initialize(Xavier())
        return trainer
    }

    /// - Parameters:
    ///   - samples: which of the twenty, in this order.
    ///   - label: replaces the label of a sample.
    static func source(
        _ samples: [Int] = Array(0..<20), data: (Int) -> Float? = { _ in nil }, label: (Int) -> Float? = { _ in nil }
    ) throws -> InMemorySource {
        var values: [Float] = []
        for sample in samples {
            var random = Random(seed: 5, purpose: .test, index: sample)
            values += (0..<6).map { _ in data(sample) ?? random.uniform(-1, 1) }
        }
        return try InMemorySource(
            data: Tensor([samples.count, 6], values),
            labels: Tensor([samples.count], samples.map { label($0) ?? Float($0 % 3) }), batchSize: 4)
    }
}

/// Ends a run after some steps, as a signal does.
final class Steps: FitObserver {
    private final class Counter: Sendable {
        let left: Atomic<Int>
        init(_ left: Int) { self.left = Atomic(left) }
    }
    private let counter: Counter

    init(_ steps: Int) { counter = Counter(steps) }

    var isOver: @Sendable () -> Bool { { [counter] in counter.left.load(ordering: .relaxed) <= 0 } }

    func receive(_ event: FitEvent) {
        if case .batch = event { counter.left.subtract(1, ordering: .relaxed) }
    }
}

/// Records a run's events.
final class Events: FitObserver {
    var reports: [EpochReport] = []
    var warnings: [String] = []
    var notes: [String] = []

    func receive(_ event: FitEvent) {
        switch event {
        case .epoch(let report): reports.append(report)
        case .warning(let text): warnings.append(text)
        case .note(let text): notes.append(text)
        default: break
        }
    }
}
