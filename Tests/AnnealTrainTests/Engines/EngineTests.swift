import Anneal
import AnnealCompiler
import AnnealReference
import AnnealXLA
import Testing

/// A whole small training run on every engine: convolutions, batch norm, dropout, several batches per update, averages,
/// dropped steps, scoring, and resuming from a state.
@Suite struct EngineTests {
    enum Choice: String, CaseIterable {
        case cpu, reference, hostile, xla

        /// The available engines: XLA needs a plugin (`make plugin NAME=cpu`).
        static var here: [Choice] {
            if !hasVirtualDevices { print("skipped: the xla engine (no plugin; 'make plugin NAME=cpu' installs it)") }
            return allCases.filter { $0 != .xla || hasVirtualDevices }
        }

        /// The allowed difference from the reference engine, relative to each number.
        var tolerance: Float {
            switch self {
            case .reference, .hostile: 0
            case .cpu, .xla: 1e-4
            }
        }

        func make() throws -> any Engine {
            switch self {
            case .cpu: try defaultEngine()
            case .reference: ReferenceEngine()
            case .hostile: HostileEngine()
            case .xla: try Accelerators.engine("xla-cpu", indexes: [0])
            }
        }
    }

    private static func makeTrainer(
        _ choice: Choice, averaging: WeightAveraging?, accumulation: Int, canDropSteps: Bool
    )
        throws -> Trainer
    {
        let net = SymbolBuilder()
        var body = try net.convolution(.variable("data"), numFilter: 8, kernel: [3, 3], pad: [1, 1], name: "a")
        body = try net.activation(net.batchNorm(body, name: "n"), .relu)
        body = try net.pooling(body, kind: .max, kernel: [2, 2], stride: [2, 2])
        body = try net.apply("Dropout", name: "drop", inputs: [net.flatten(body)], attributes: ["p": "0.25"])
        let symbol = try net.softmaxOutput(net.fullyConnected(body, numHidden: 4, name: "fc"), name: "softmax")
        let trainer = try Trainer(
            symbol, dataShape: [2, 6, 6], batchSize: 4,
            optimizer: Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9, "wd": 0.01, "clip_norm": 1]),
            seed: 3,
            averaging: averaging, accumulation: accumulation, canDropSteps: canDropSteps, engine: choice.make())
        try trainer.initialize(Xavier())
        return trainer
    }

    private static func source(broken: Int? = nil) throws -> InMemorySource {
        var data = noise(22 * 72, 4)
        if let broken { data[broken * 72] = .nan }
        return try InMemorySource(
            data: Tensor([22, 2, 6, 6], data), labels: Tensor([22], (0..<22).map { Float($0 * 7 % 4) }), batchSize: 4)
    }

    private struct Outcome {
        var weights: [[Float]]
        var metrics: [MetricValue]
        var skipped: Bool
    }

    private static func run(
        _ choice: Choice, averaging: WeightAveraging?, accumulation: Int = 1, broken: Int? = nil, stopAfter: Int? = nil
    ) throws -> Outcome {
        let folder = try StateFolder(), events = Events()
        func options(_ observer: any FitObserver, stops: @escaping @Sendable () -> Bool = { false }) -> FitOptions {
            FitOptions(
                modelPrefix: folder.prefix, onNonFinite: broken == nil ? .stop : .skip, observers: [observer],
                shouldStop: stops)
        }
        func make() throws -> Trainer {
            try makeTrainer(choice, averaging: averaging, accumulation: accumulation, canDropSteps: broken != nil)
        }
        var trainer = try make(), progress: FitProgress?
        let source = try source(broken: broken), validation = try Self.source()
        if let stopAfter {
            let watcher = Steps(stopAfter)
            try trainer.fit(
                training: source, validation: validation, epochs: 0..<3,
                options: options(watcher, stops: watcher.isOver))
            trainer = try make()
            progress = try trainer.restoreState(Checkpoint.latestPath(folder.prefix))
        }
        let reports = try trainer.fit(
            training: source, validation: validation, epochs: 0..<3, options: options(events), from: progress)
        return Outcome(
            weights: try trainer.parameters.names.map { try trainer.parameters.tensor($0).elements },
            metrics: reports.last.map { $0.training + $0.validation } ?? [],
            skipped: events.warnings.contains { $0.contains("dropped") })
    }

    private func expectSame(_ a: Outcome, _ b: Outcome, within tolerance: Float) {
        for (a, b) in zip(a.weights.joined(), b.weights.joined()) { #expect(abs(a - b) <= tolerance * max(1, abs(b))) }
        for (a, b) in zip(a.metrics, b.metrics) {
            #expect(abs(a.value - b.value) <= Double(10 * tolerance), "\(a.name)")
        }
    }

    @Test(arguments: [nil, WeightAveraging.movingAverage(decay: 0.9), .lookahead(every: 2, alpha: .constant(0.5))])
    func everyEngineTrains(_ averaging: WeightAveraging?) throws {
        let expected = try Self.run(.reference, averaging: averaging)
        for choice in Choice.here {
            expectSame(try Self.run(choice, averaging: averaging), expected, within: choice.tolerance)
        }
    }

    @Test(arguments: Choice.here) func gradientsAreGatheredAndStepsDropped(_ choice: Choice) throws {
        let broken = try Self.run(choice, averaging: .movingAverage(decay: 0.9), accumulation: 3, broken: 9)
        #expect(broken.skipped && broken.weights.joined().allSatisfy(\.isFinite))
        let expected = try Self.run(.reference, averaging: .movingAverage(decay: 0.9), accumulation: 3, broken: 9)
        expectSame(broken, expected, within: choice.tolerance)
    }

    /// The state is saved while later work may be in progress.
    @Test(arguments: Choice.here) func aRunContinuesToTheSameBits(_ choice: Choice) throws {
        let whole = try Self.run(choice, averaging: .movingAverage(decay: 0.9), accumulation: 2)
        let parts = try Self.run(choice, averaging: .movingAverage(decay: 0.9), accumulation: 2, stopAfter: 3)
        expectSame(parts, whole, within: 0)
    }

    /// Late results name the step that they belong to.
    @Test(arguments: Choice.here) func aBrokenStepIsNamed(_ choice: Choice) throws {
        let trainer = try Self.makeTrainer(choice, averaging: nil, accumulation: 1, canDropSteps: false)
        let error = #expect(throws: AnnealError.self) {
            try trainer.fit(training: Self.source(broken: 9), epochs: 0..<1)
        }
        #expect(error?.place == "epoch 1, batch 3, update 3")
    }
}
