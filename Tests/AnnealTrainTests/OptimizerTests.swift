import AnnealCore
import AnnealGraph
import AnnealTrain
import Foundation
import Testing

@Suite struct OptimizerTests {
    /// 1 - l*d*w: what is left after a step of plain SGD with gradient 0.
    private func decays(_ names: [String], _ rule: any OptimizerRule, _ multipliers: Multipliers = Multipliers()) throws
        -> [Float]
    {
        let model = TestParameters(names.map { ($0, [1]) })
        let settings = OptimizerSettings(learningRate: 0.5, weightDecay: 0.5, multipliers: multipliers)
        try Optimizer(rule, settings: settings).step(model.parameters)
        return model.all.map { $0[0] }
    }

    @Test func exemptsByName() throws {
        let names = ["a_weight", "a_bias", "b_gamma", "b_beta", "weight", "c_embed"]
        #expect(try decays(names, SGD()) == [0.75, 1, 0.75, 1, 1, 1])
        #expect(try decays(names, LARS()) == [0.75, 1, 1, 1, 1, 1])
    }

    @Test func multipliersOverride() throws {
        let symbol = try Symbol(
            json: Data(
                """
                {"nodes": [{"op": "null", "name": "a_weight", "inputs": [],
                            "attrs": {"__lr_mult__": "0.5", "__wd_mult__": "0"}},
                           {"op": "null", "name": "a_bias", "inputs": [], "attrs": {"__wd_mult__": "2.0"}}],
                 "arg_nodes": [0, 1], "heads": [[0, 0, 0], [1, 0, 0]], "attrs": {"mxnet_version": ["int", 10901]}}
                """.utf8))
        let ofSymbol = try Multipliers(symbol: symbol)
        #expect(ofSymbol == Multipliers(learningRate: ["a_weight": 0.5], weightDecay: ["a_weight": 0, "a_bias": 2]))
        #expect(try decays(["a_weight", "a_bias"], SGD(), ofSymbol) == [1, 0.5])
        let all = ofSymbol.merging(Multipliers(weightDecay: ["a_weight": 1]))
        #expect(try decays(["a_weight", "a_bias"], SGD(), all) == [0.875, 0.5])
    }

    @Test func scalesThenClips() throws {
        let model = TestParameters([("a_weight", [0, 0, 0])])
        let optimizer = Optimizer(
            SGD(), settings: OptimizerSettings(learningRate: 1, clipGradient: 0.5, rescaleGradient: 0.25))
        model.setGradient(0, [1, 4, -40])
        try optimizer.step(model.parameters)
        #expect(model[0] == [-0.25, -0.5, 0.5])
    }

    /// A clip of 0 is off in MXNet's operators, and clips everything in its Python rules.
    @Test func clipOfZero() throws {
        for (rule, moves) in [(SGD() as any OptimizerRule, true), (AdaGrad(), false), (AdaDelta(), false)] {
            let model = TestParameters([("a_weight", [1])])
            model.setGradient(0, [1])
            try Optimizer(rule, settings: OptimizerSettings(clipGradient: 0)).step(model.parameters)
            #expect((model[0] != [1]) == moves)
        }
    }

    @Test func keepsNaNVisible() throws {
        let model = TestParameters([("a_weight", [1, 1])])
        model.setGradient(0, [.nan, 1])
        try Optimizer(SGD(), settings: OptimizerSettings(clipGradient: 1)).step(model.parameters)
        #expect(model[0][0].isNaN && model[0][1] == 0.99)
    }

    @Test func scheduleActsFromItsStepOn() throws {
        let schedule = try MultiFactorScheduler(steps: [2], factor: 0.5, baseRate: 9)
        let optimizer = Optimizer(SGD(), settings: OptimizerSettings(learningRate: 1, schedule: schedule))
        let model = TestParameters([("a_weight", [0]), ("b_weight", [0])])
        model.setGradient(0, [1])
        var weights: [Float] = []
        for _ in 0..<4 {
            try optimizer.step(model.parameters)
            weights.append(model[0][0])
        }
        #expect(weights == [-1, -2, -2.5, -3])
        #expect(optimizer.updates == 4 && optimizer.learningRate == 0.5)
    }

    /// The first parameter is one update late in LBSGD, as in MXNet.
    @Test func lbsgdAsksEarly() throws {
        let schedule = try FactorScheduler(step: 1, factor: 0.5, baseRate: 1)
        let optimizer = Optimizer(LBSGD(), settings: OptimizerSettings(schedule: schedule))
        let model = TestParameters([("a_weight", [0]), ("b_weight", [0])])
        for index in 0...1 { model.setGradient(index, [1]) }
        for _ in 0..<2 { try optimizer.step(model.parameters) }
        #expect(model.all == [[-2], [-1.5]])
    }

    @Test func larsCorrectsMomentum() throws {
        func weights(_ rule: LARS) throws -> [[Float]] {
            let schedule = try MultiFactorScheduler(steps: [1], factor: 0.5, baseRate: 1)
            let optimizer = Optimizer(rule, settings: OptimizerSettings(schedule: schedule))
            let model = TestParameters([("a_bias", [0]), ("b_bias", [0])])
            for index in 0...1 { model.setGradient(index, [1]) }
            for _ in 0..<2 { try optimizer.step(model.parameters) }
            return model.all
        }
        // m = -1, then momentum * ratio * m - 0.5.
        #expect(try weights(LARS(momentum: 0.5)) == [[-1.75], [-1.75]])
        #expect(try weights(LARS(momentum: 0.5, correctedParameters: 1)) == [[-1.75], [-2]])
        #expect(try weights(LARS(momentum: 0.5, momentumCorrection: false)) == [[-2], [-2]])
    }

    /// MXNet gets NaN here.
    @Test func adamaxSurvivesDeadWeights() throws {
        let model = TestParameters([("a_weight", [1])])
        let optimizer = Optimizer(Adamax())
        try optimizer.step(model.parameters)
        #expect(model[0] == [1])
        model.setGradient(0, [2])
        try optimizer.step(model.parameters)
        // t = 2: l / (1 - 0.81) * m / u with m = 0.2, u = 2.
        #expect(abs(model[0][0] - Float(1 - 0.002 / 0.19 * 0.1)) < 1e-7)
    }

    @Test func findsStatesByName() throws {
        let model = TestParameters([("a_weight", [0]), ("b_weight", [0])])
        let optimizer = Optimizer(SGD(momentum: 0.5), settings: OptimizerSettings(learningRate: 1))
        model.setGradient(0, [1])
        try optimizer.step(model.parameters)
        try optimizer.step(model.parameters.reversed())
        #expect(model.all == [[-2.5], [0]])
        try optimizer.step([model.parameters[1]])
        #expect(optimizer.snapshot().counts == ["a_weight": 2, "b_weight": 3])
    }

    @Test func refusesWhatItCannotDo() throws {
        let model = TestParameters([("a_weight", [1, 2])])
        let rows = Optimizer(GroupAdaGrad(), settings: OptimizerSettings(weightDecay: 0.1))
        #expect(throws: AnnealError.self) { try rows.step(model.parameters) }
        let plain = OptimizedParameter(
            name: "a_weight", count: 2, weight: model.parameters[0].weight, gradient: model.parameters[0].gradient)
        #expect(throws: AnnealError.self) { try Optimizer(GroupAdaGrad()).step([plain]) }
        #expect(model[0] == [1, 2])

        let optimizer = Optimizer(SGD(momentum: 0.9))
        try optimizer.step(model.parameters)
        let other = TestParameters([("a_weight", [1, 2, 3])])
        #expect(throws: AnnealError.self) { try optimizer.step(other.parameters) }
    }

    @Test func refusesForeignState() throws {
        let model = TestParameters([("a_weight", [1, 2])])
        let optimizer = Optimizer(SGD(momentum: 0.9))
        try optimizer.bind(model.parameters)
        let arrays = optimizer.stateArrays(), snapshot = optimizer.snapshot()
        func refuses(_ snapshot: OptimizerSnapshot, _ arrays: [OptimizerArray]) {
            #expect(throws: AnnealError.self) { try optimizer.restore(snapshot, arrays: arrays) }
        }
        var wrong = snapshot
        wrong.rule = "adam"
        refuses(wrong, arrays)
        wrong = snapshot
        wrong.counts["b_weight"] = 1
        refuses(wrong, arrays)
        wrong = snapshot
        wrong.scalars = [1]
        refuses(wrong, arrays)
        for updates in [-1, Int.max] {
            wrong = snapshot
            wrong.counts["a_weight"] = updates
            refuses(wrong, arrays)
            wrong = snapshot
            wrong.updates = updates
            refuses(wrong, arrays)
        }
        refuses(snapshot, [])
        refuses(snapshot, [OptimizerArray(parameter: "a_weight", index: 0, values: [1])])
        refuses(snapshot, arrays + [OptimizerArray(parameter: "a_weight", index: 1, values: [1, 2])])
        try optimizer.restore(snapshot, arrays: arrays)
    }

    @Test func reportsBadOptions() throws {
        #expect(throws: AnnealError.self) { try Optimizers.make("sgdd") }
        #expect(throws: AnnealError.self) { try Optimizers.make("sgd", ["momentum": -1]) }
        #expect(throws: AnnealError.self) { try Optimizers.make("sgd", ["momentum": "high"]) }
        #expect(throws: AnnealError.self) { try Optimizers.make("lbsgd", ["batch_scale": 0]) }
        #expect(throws: AnnealError.self) { try Optimizers.make("lbsgd", ["warmup_strategy": "cubic"]) }
        #expect(try Optimizers.make("ccSGD", ["momentum": 0.5, "clip_gradient": .none]).rule is SGD)
        #expect(try Optimizers.make("adam").learningRate == 0.001)
        #expect(try Optimizers.make("adadelta").rule.remark != nil)
    }
}
