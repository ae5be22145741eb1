import AnnealCore
import AnnealTrain
import Foundation
import Testing

/// What holds for every rule.
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
            try optimizer.step(model.parameters)
        }
        #expect(distance() < before * Float(rule.left), "from \(before) to \(distance())")
    }

    /// The filling of blocked layouts stays 0.
    @Test(arguments: RuleCase.all) func leavesFillingAtZero(_ rule: RuleCase) throws {
        let model = TestParameters([("conv_weight", [1, 0, -2, 0])], rowLength: 2)
        let optimizer = rule.optimizer(weightDecay: rule.label == "groupadagrad" ? 0 : 0.1)
        for step in 1...5 {
            model.setGradient(0, [Float(step), 0, -0.5, 0])
            try optimizer.step(model.parameters)
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

    /// Snapshot, JSON, a new optimizer: the same bits as without a stop.
    @Test(arguments: RuleCase.all) func resumesBitForBit(_ rule: RuleCase) throws {
        let whole = try run(rule, steps: 7)
        let model = TestParameters(Self.start, rowLength: 10)
        let first = rule.optimizer(weightDecay: Self.decay(rule))
        for step in 0..<4 { try Self.step(first, model, step) }
        let json = try JSONEncoder().encode(first.snapshot())
        let arrays = try first.stateArrays().map { try #require(OptimizerArray(name: $0.name, values: $0.values)) }

        let second = rule.optimizer(weightDecay: Self.decay(rule))
        try second.bind(model.parameters)
        try second.restore(try JSONDecoder().decode(OptimizerSnapshot.self, from: json), arrays: arrays)
        for step in 4..<7 { try Self.step(second, model, step) }
        #expect(model.all == whole.all)
        #expect(second.updates == 7)
    }

    private static let start = [
        ("a_weight", noise(30_010, 1)), ("a_bias", noise(10, 2)), ("b_gamma", noise(70, 3)),
        ("c_weight", noise(9_000, 4)),
    ]

    private static func decay(_ rule: RuleCase) -> Double { rule.label == "groupadagrad" ? 0 : 0.01 }

    private func run(_ rule: RuleCase, steps: Int) throws -> TestParameters {
        let model = TestParameters(Self.start, rowLength: 10)
        let optimizer = rule.optimizer(weightDecay: Self.decay(rule))
        for step in 0..<steps { try Self.step(optimizer, model, step) }
        return model
    }

    private static func step(_ optimizer: Optimizer, _ model: TestParameters, _ step: Int) throws {
        for (index, parameter) in start.enumerated() {
            model.setGradient(index, noise(parameter.1.count, UInt64(10 * step + index + 100)))
        }
        try optimizer.step(model.parameters)
    }

    /// The table has every rule that users can name.
    @Test func tableIsComplete() {
        let covered = Set(RuleCase.all.map { type(of: $0.make()).name })
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
