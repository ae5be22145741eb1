import Anneal
import AnnealCompiler
import AnnealXLA
import Testing

/// float16 on an accelerator.
@Suite(.enabled(if: hasVirtualDevices, "no plugin for xla-cpu ('make plugin NAME=cpu' installs it)"))
struct LossScalingTests {
    /// - Parameter headScale: the factor that the loss's gradient is multiplied by.
    private func makeTrainer(
        _ precision: ElementType = .float16, _ scaling: LossScaling? = nil, headScale: Double = 1,
        accumulation: Int = 1, engine: (any Engine)? = nil
    ) throws -> Trainer {
        let net = SymbolBuilder()
        // A bias before batch norm has only rounding noise as its gradient.
        var body = try net.convolution(
            .variable("data"), numFilter: 8, kernel: [3, 3], pad: [1, 1], noBias: true, name: "a")
        body = try net.activation(net.batchNorm(body, fixGamma: false, name: "n"), .relu)
        body = try net.fullyConnected(net.flatten(body), numHidden: 4, name: "fc")
        let symbol = try net.apply(
            "SoftmaxOutput", name: "softmax", inputs: [body], attributes: ["grad_scale": "\(headScale)"])
        let trainer = try Trainer(
            symbol, dataShape: [2, 6, 6], batchSize: 4,
            optimizer: Optimizers.make("sgd", ["learning_rate": .number(0.02 / headScale), "momentum": 0.5]), seed: 3,
            accumulation: accumulation, precision: precision, lossScaling: scaling,
            engine: engine ?? Accelerators.engine("xla-cpu", indexes: [0]))
        try trainer.initialize(Xavier())
        return trainer
    }

    private func source(broken: Int? = nil) throws -> InMemorySource {
        var data = noise(24 * 72, 4)
        if let broken { data[broken * 72] = .nan }
        return try InMemorySource(
            data: Tensor([24, 2, 6, 6], data), labels: Tensor([24], (0..<24).map { Float($0 * 7 % 4) }), batchSize: 4)
    }

    private func weights(_ trainer: Trainer) throws -> [Float] {
        try trainer.parameters.names.flatMap { try trainer.parameters.tensor($0).elements }
    }

    private func distance(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max() ?? 0 }

    @Test func trainsAsFloat32DoesButForItsDigits() throws {
        let half = try makeTrainer(.float16, .constant(256)), single = try makeTrainer(.float32)
        let events = Events()
        let start = try weights(half)
        try half.fit(training: source(), validation: source(), epochs: 0..<1, options: FitOptions(observers: [events]))
        try single.fit(training: source(), epochs: 0..<1)
        let moved = distance(try weights(single), start), error = distance(try weights(half), try weights(single))
        #expect(error < 0.02 * moved, "\(error) of \(moved)")
        #expect(events.warnings.isEmpty)
    }

    /// Gradients of 1e-8 become zero in float16 unless they are scaled.
    @Test func smallGradientsAreNotLost() throws {
        let expected = try makeTrainer(.float32, headScale: 1e-8)
        try expected.fit(training: source(), epochs: 0..<1)
        let start = try weights(makeTrainer())
        let scaled = try makeTrainer(headScale: 1e-8)
        try scaled.fit(training: source(), epochs: 0..<1)
        let lost = try makeTrainer(.float16, .constant(1), headScale: 1e-8)
        try lost.fit(training: source(), epochs: 0..<1)
        let moved = distance(try weights(expected), start)
        let error = distance(try weights(scaled), try weights(expected))
        #expect(error < 0.02 * moved, "\(error) of \(moved)")
        let before = try makeTrainer().parameters.tensor("a_weight")
        #expect(try lost.parameters.tensor("a_weight") == before)
    }

    /// A loss that is multiplied by 16 overflows at a scale of 65536.
    @Test(arguments: [1, 2]) func aScaleThatIsTooLargeIsLowered(_ accumulation: Int) throws {
        let trainer = try makeTrainer(headScale: 16, accumulation: accumulation), events = Events()
        let reports = try trainer.fit(
            training: source(), epochs: 0..<3, options: FitOptions(observers: [events]))
        #expect(trainer.lossScaling == .dynamic)
        let told = events.notes.filter { $0.contains("loss scale") }
        #expect(told.first?.hasPrefix("Epoch 1: loss scale ") == true, "\(events.notes)")
        // A dropped step does not count as a NaN of the run, and its images count.
        #expect(events.warnings.isEmpty)
        #expect(reports.last?.training.allSatisfy(\.value.isFinite) == true)
        #expect(trainer.updates < 18 / accumulation && trainer.updates > 0)
        #expect(try weights(trainer).allSatisfy(\.isFinite))
    }

    @Test func aConstantScaleThatIsTooLargeEndsTheRun() throws {
        let trainer = try makeTrainer(.float16, .constant(1 << 24), headScale: 1024)
        let error = #expect(throws: AnnealError.self) { try trainer.fit(training: source(), epochs: 0..<1) }
        #expect(error?.code == .notFinite)
    }

    /// Images that are not numbers are not the scale's fault.
    @Test func aNaNOfTheRunIsOne() throws {
        let trainer = try makeTrainer(.float16, .constant(256)), events = Events()
        let error = #expect(throws: AnnealError.self) {
            try trainer.fit(training: source(broken: 9), epochs: 0..<1)
        }
        #expect(error?.place == "epoch 1, batch 3, update 3")
        let skipping = try makeTrainer(.float16, .dynamic)
        try skipping.fit(
            training: source(broken: 9), epochs: 0..<1, options: FitOptions(onNonFinite: .skip, observers: [events]))
        #expect(events.warnings.contains { $0.contains("1 of 6 steps were dropped") })
    }

    @Test func theScaleIsInTheSavedState() throws {
        let folder = try StateFolder()
        let trainer = try makeTrainer(headScale: 16)
        try trainer.fit(training: source(), epochs: 0..<1, options: FitOptions(modelPrefix: folder.prefix))
        let hashes = try trainer.stateHashes().map(\.hash)
        let again = try makeTrainer(headScale: 16)
        #expect(try again.stateHashes().map(\.hash) != hashes)
        let progress = try again.restoreState(Checkpoint.latestPath(folder.prefix))
        #expect(try again.stateHashes().map(\.hash) == hashes)
        try again.fit(training: source(), epochs: 0..<2, from: progress)
        try trainer.fit(training: source(), epochs: 1..<2)
        #expect(try again.stateHashes().map(\.hash) == trainer.stateHashes().map(\.hash))
    }

    @Test func whatIsNoScaleIsRefused() throws {
        for (precision, scaling) in [
            (ElementType.float16, LossScaling.constant(1000)), (.float16, .constant(0)), (.float32, .dynamic),
            (.bfloat16, .constant(2)),
        ] {
            #expect(throws: AnnealError.self) { try makeTrainer(precision, scaling) }
        }
        let error = #expect(throws: AnnealError.self) { try makeTrainer(engine: defaultEngine()) }
        #expect(error?.problem.contains("supports float32 only") == true)
    }
}
