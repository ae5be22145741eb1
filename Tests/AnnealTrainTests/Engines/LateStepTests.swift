import Anneal
import AnnealCompiler
import Testing

/// Steps whose updates wait for the next forward pass, in processes that are threads.
struct LateStepTests {
    private static func engine(
        _ group: ThreadGroup?, shards: Int = 4, bucketBytes: Int = 0, _ compression: GradientCompression = .none
    ) throws -> ShardedEngine {
        try ShardedEngine(
            [try #require(defaultEngine() as? any KernelEngine)], pool: 1, shards: shards, group: group,
            bucketBytes: bucketBytes, compression: compression)
    }

    /// The weights, statistics and metrics of two epochs, and whether updates came late.
    private static func run(
        _ engine: ShardedEngine, batchSize: Int = 8, averaging: WeightAveraging? = .movingAverage(decay: 0.9),
        keepsGradients: Bool = false, broken: Int? = nil, throughViews: Bool = false, watcher: Watcher? = nil
    ) throws -> (values: [Float], isLate: Bool) {
        let net = SymbolBuilder()
        var body = try net.convolution(.variable("data"), numFilter: 8, kernel: [3, 3], pad: [1, 1], name: "a")
        body = try net.activation(net.batchNorm(body, fixGamma: true, name: "n"), .relu)
        if throughViews {
            // The gradient of such a parameter is a view of another gradient.
            let scale = try net.apply(
                "Reshape", name: "reshaped",
                inputs: [.variable("scale", attributes: ["__shape__": "(8,)", "__init__": "[\"one\", {}]"])],
                attributes: ["shape": "(1, 8, 1, 1)"])
            body = try net.apply("broadcast_mul", name: "scaled", inputs: [body, scale])
        }
        body = try net.convolution(body, numFilter: 8, kernel: [3, 3], pad: [1, 1], name: "b")
        body = try net.pooling(
            net.activation(net.batchNorm(body, fixGamma: false, name: "m"), .relu), kind: .max, kernel: [2, 2],
            stride: [2, 2])
        body = try net.apply("Dropout", name: "drop", inputs: [net.flatten(body)], attributes: ["p": "0.25"])
        let symbol = try net.softmaxOutput(net.fullyConnected(body, numHidden: 4, name: "fc"), name: "softmax")
        let trainer = try Trainer(
            symbol, dataShape: [2, 6, 6], batchSize: batchSize,
            optimizer: Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9, "wd": 0.01]), seed: 3,
            averaging: averaging, keepsGradients: keepsGradients, engine: engine)
        try trainer.initialize(Xavier())
        let rows = engine.rows(of: batchSize)
        func source(_ seed: UInt64, _ broken: Int? = nil) throws -> OwnRows {
            OwnRows(try KernelShardTests.source(seed, batchSize: batchSize, broken: broken), rows)
        }
        var options = FitOptions()
        if let watcher {
            watcher.trainer = trainer
            options.observers = [watcher]
        }
        let reports = try trainer.fit(
            training: source(4, broken), validation: source(5), epochs: 0..<2, options: options)
        let metrics = reports.flatMap { $0.training + $0.validation }
        return (
            try trainer.parameters.names.flatMap { try trainer.parameters.tensor($0).elements }
                + metrics.map { Float($0.value) }, !trainer.training.isImmediate
        )
    }

    /// Keeps what would be saved after each batch of the first epoch.
    private final class Watcher: FitObserver {
        weak var trainer: Trainer?
        var saved: [[Float]] = []

        func receive(_ event: FitEvent) throws {
            guard case .batch(let report) = event, report.epoch == 0, let trainer else { return }
            saved.append(
                try trainer.withValidatedWeights {
                    try trainer.parameters.names.flatMap { try trainer.parameters.tensor($0).elements }
                })
        }
    }

    /// An observer is told of a batch when the next step has been submitted, but its gradients may not have come.
    @Test func whatIsSavedBetweenBatchesIsWhole() throws {
        let expected = Watcher()
        _ = try Self.run(Self.engine(nil), averaging: nil, watcher: expected)
        let saved = try ThreadGroup.run(2) { group in
            let watcher = Watcher()
            _ = try Self.run(Self.engine(group), averaging: nil, watcher: watcher)
            return watcher.saved
        }
        for process in saved {
            #expect(process.count == expected.saved.count && process.count > 2)
            #expect(Array(process.dropLast()) == Array(expected.saved.dropFirst()))
        }
    }

    /// Also if shards have different sizes, so that a process has several plans.
    @Test(arguments: [8, 10]) func theBitsAreThoseOfOneProcess(batchSize: Int) throws {
        let one = try Self.run(Self.engine(nil), batchSize: batchSize)
        #expect(!one.isLate)
        for (size, bytes) in [(2, 0), (2, 600), (3, 0), (4, 0), (2, 1 << 20)] {
            let several = try ThreadGroup.run(size) {
                try Self.run(Self.engine($0, bucketBytes: bytes), batchSize: batchSize)
            }
            for process in several {
                #expect(process.values == one.values)
                // Gradients that fit into one bucket all arrive at once.
                #expect(process.isLate == (bytes < 1 << 20))
            }
        }
    }

    @Test func gradientsThatAreViewsWaitForWhatTheyView() throws {
        let one = try Self.run(Self.engine(nil), throughViews: true)
        for process in try ThreadGroup.run(2, { try Self.run(Self.engine($0), throughViews: true) }) {
            #expect(process.values == one.values && process.isLate)
        }
    }

    @Test func compressedGradientsMayComeLate() throws {
        let compression = GradientCompression.twoBit(threshold: 0.0625)
        let one = try Self.run(Self.engine(nil, compression), averaging: nil)
        for process in try ThreadGroup.run(2, { try Self.run(Self.engine($0, compression), averaging: nil) }) {
            #expect(process.values == one.values && process.isLate)
        }
    }

    /// Features that read all gradients wait for them.
    @Test func whatNeedsAllGradientsWaits() throws {
        for process in try ThreadGroup.run(2, { try Self.run(Self.engine($0), keepsGradients: true) }) {
            #expect(!process.isLate)
        }
        let slow = WeightAveraging.lookahead(every: 5, alpha: .constant(0.5))
        let one = try Self.run(Self.engine(nil), averaging: slow)
        for process in try ThreadGroup.run(2, { try Self.run(Self.engine($0), averaging: slow) }) {
            #expect(process.values == one.values && !process.isLate)
        }
    }

    /// Every process names the step, although only one of them has read the image.
    @Test func aStepThatIsNotFiniteIsNamed() throws {
        let errors = try ThreadGroup.run(2) { group in
            let error = #expect(throws: AnnealError.self) { try Self.run(Self.engine(group), broken: 9) }
            return "\(error.map { "\($0)" } ?? "")"
        }
        for error in errors { #expect(error.contains("epoch 1, batch 2") && error.contains("not finite")) }
    }
}
