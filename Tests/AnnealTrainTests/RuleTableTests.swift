import Anneal
import AnnealCompiler
import AnnealReference
import AnnealXLA
import Foundation
import Testing

/// Properties that all rules share.
@Suite(.serialized) struct RuleTableTests {
    /// sum of (w - target)², with gradients 2(w - target).
    @Test(arguments: RuleCase.all) func getsNearer(_ rule: RuleCase) throws {
        let target: [Float] = [0.5, -0.25, 1, -1, 0.75, 2]
        let model = TestParameters([("fc_weight", [2, 1, -1, 1.5, -0.5, 0.1])], rowLength: 3)
        let optimizer = rule.optimizer()
        func distance() -> Float { zip(model[0], target).map { ($0 - $1) * ($0 - $1) }.reduce(0, +).squareRoot() }
        let before = distance()
        for _ in 0..<300 {
            model.setGradient(0, zip(model[0], target).map { 2 * ($0 - $1) })
            try model.step(optimizer)
        }
        #expect(distance() < before * Float(rule.left), "from \(before) to \(distance())")
    }

    /// The padding of blocked layouts stays 0.
    @Test(arguments: RuleCase.all.filter { !$0.make().drawsNoise }) func leavesFillingAtZero(_ rule: RuleCase) throws {
        let model = TestParameters([("conv_weight", [1, 0, -2, 0])], rowLength: 2)
        let optimizer = rule.optimizer(weightDecay: rule.label == "groupadagrad" ? 0 : 0.1)
        for step in 1...5 {
            model.setGradient(0, [Float(step), 0, -0.5, 0])
            try model.step(optimizer)
        }
        #expect(model[0][1] == 0 && model[0][3] == 0 && model[0].allSatisfy(\.isFinite), "\(model[0])")
    }

    @Test(arguments: RuleCase.all) func doesNotDependOnThreads(_ rule: RuleCase) throws {
        let threads = Parallel.threads
        defer { Parallel.setThreads(threads) }
        let results = try [1, 2, 3].map { count in
            Parallel.setThreads(count)
            return try run(rule, steps: 3).all
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    /// The rule's formula in double precision on the reference engine, its loops on the CPU and the code compiled by
    /// XLA: loops with and without clipping of gradients differ.
    @Test(arguments: RuleCase.all, [nil, 0.5]) func enginesAgree(_ rule: RuleCase, _ clip: Double?) throws {
        let expected = try run(rule, steps: 3, clipGradient: clip, engine: ReferenceEngine()).all
        var engines: [any Engine] = [try defaultEngine()]
        if hasVirtualDevices { engines.append(try Accelerators.engine("xla-cpu", indexes: [0])) }
        for engine in engines {
            let found = try run(rule, steps: 3, clipGradient: clip, engine: engine).all
            for (a, b) in zip(found.joined(), expected.joined()) where abs(a - b) > 2e-5 * max(1, abs(b)) {
                Issue.record("\(a) on \(engine.name), \(b) on the reference engine")
                break
            }
        }
    }

    /// The check before an update agrees with the update, whether the weight or a state becomes non-finite.
    @Test(arguments: RuleCase.all, [nil, 1e20, 3e38] as [Float?])
    func theCheckKnowsWhatAnUpdateWouldBreak(_ rule: RuleCase, _ gradient: Float?) {
        let rule = rule.make(), count = 13
        for place in [0, 6, 12] {
            // Weights, gradients, noise, states.
            let memory = UnsafeMutablePointer<Float>.allocate(capacity: count * (3 + rule.stateCount))
            defer { memory.deallocate() }
            let values = (0..<3 + rule.stateCount).flatMap { noise(count, UInt64($0)).map(\.magnitude) }
            memory.initialize(from: values, count: values.count)
            if let gradient { memory[count + place] = gradient }
            let states = (0..<rule.stateCount).map { memory + count * (3 + $0) }
            states.withUnsafeBufferPointer { states in
                // Scale, rate, decay, bound and constants.
                let slice = RuleSlice(
                    numbers: StepNumbers(1, 10, 0.1, .infinity, 0.5, 1, 1, 0), start: 0, count: count, weight: memory,
                    gradient: memory + count, states: states,
                    noise: rule.drawsNoise ? UnsafePointer(memory + 2 * count) : nil)
                let claim = rule.staysFinite(slice)
                rule.update(slice)
                let arrays = [slice.weight] + slice.states
                #expect(claim == arrays.allSatisfy { array in (0..<count).allSatisfy { array[$0].isFinite } })
            }
        }
    }

    private static let start = [
        ("a_weight", noise(30_010, 1)), ("a_bias", noise(10, 2)), ("b_gamma", noise(70, 3)),
        ("c_weight", noise(9_000, 4)),
    ]

    private static func decay(_ rule: RuleCase) -> Double { rule.label == "groupadagrad" ? 0 : 0.01 }

    private func run(_ rule: RuleCase, steps: Int, clipGradient: Double? = nil, engine: (any Engine)? = nil) throws
        -> TestParameters
    {
        let model = TestParameters(Self.start, rowLength: 10, engine: engine)
        let optimizer = rule.optimizer(weightDecay: Self.decay(rule), clipGradient: clipGradient)
        for step in 0..<steps { try Self.step(optimizer, model, step) }
        return model
    }

    private static func step(_ optimizer: Optimizer, _ model: TestParameters, _ step: Int) throws {
        for (index, parameter) in start.enumerated() {
            model.setGradient(index, noise(parameter.1.count, UInt64(10 * step + index + 100)))
        }
        try model.step(optimizer)
    }

    /// The table has every rule that users can name.
    @Test func tableIsComplete() {
        let covered = Set(RuleCase.all.map { $0.make() }.filter { !($0 is RuleChain) }.map { type(of: $0).name })
        #expect(covered == Set(Optimizers.names))
    }

    @Test(arguments: Optimizers.names) func isMadeByName(_ name: String) throws {
        let optimizer = try Optimizers.make(name, ["learning_rate": 0.25, "wd": 0.5, "rescale_grad": 0.125])
        #expect(type(of: optimizer.rule).name == name)
        #expect(optimizer.learningRate == 0.25)
        #expect(optimizer.settings.weightDecay == 0.5 && optimizer.settings.rescaleGradient == 0.125)
        #expect(throws: AnnealError.self) { try Optimizers.make(name, ["colour": 1]) }
    }
}
