import Anneal
import Foundation
import Testing

@Suite struct OptimizerTests {
    /// 1 - l*d*w: the weight after a step of plain SGD with gradient 0.
    private func decays(_ names: [String], _ rule: any OptimizerRule, _ multipliers: Multipliers = Multipliers()) throws
        -> [Float]
    {
        let model = TestParameters(names.map { ($0, [1]) })
        let settings = OptimizerSettings(learningRate: 0.5, weightDecay: 0.5, multipliers: multipliers)
        try model.step(Optimizer(rule, settings: settings))
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
        try model.step(optimizer)
        #expect(model[0] == [-0.25, -0.5, 0.5])
    }

    /// A clip of 0 is off in MXNet's operators, and clips everything in its Python rules.
    @Test func clipOfZero() throws {
        for (rule, moves) in [(SGD() as any OptimizerRule, true), (AdaGrad(), false), (AdaDelta(), false)] {
            let model = TestParameters([("a_weight", [1])])
            model.setGradient(0, [1])
            try model.step(Optimizer(rule, settings: OptimizerSettings(clipGradient: 0)))
            #expect((model[0] != [1]) == moves)
        }
    }

    @Test func keepsNaNVisible() throws {
        let model = TestParameters([("a_weight", [1, 1])])
        model.setGradient(0, [.nan, 1])
        try model.step(Optimizer(SGD(), settings: OptimizerSettings(clipGradient: 1)))
        #expect(model[0][0].isNaN && model[0][1] == 0.99)
    }

    @Test func scheduleActsFromItsStepOn() throws {
        let schedule = try MultiFactorScheduler(steps: [2], factor: 0.5, baseRate: 9)
        let optimizer = Optimizer(SGD(), settings: OptimizerSettings(learningRate: 1, schedule: schedule))
        let model = TestParameters([("a_weight", [0]), ("b_weight", [0])])
        model.setGradient(0, [1])
        var weights: [Float] = []
        for _ in 0..<4 {
            try model.step(optimizer)
            weights.append(model[0][0])
        }
        #expect(weights == [-1, -2, -2.5, -3])
        #expect(model.optimizer?.updates == 4 && model.optimizer?.learningRate == 0.5)
        #expect(optimizer.updates == 0)
    }

    /// The first parameter is one update late in LBSGD, as in MXNet.
    @Test func lbsgdAsksEarly() throws {
        let schedule = try FactorScheduler(step: 1, factor: 0.5, baseRate: 1)
        let optimizer = Optimizer(LBSGD(), settings: OptimizerSettings(schedule: schedule))
        let model = TestParameters([("a_weight", [0]), ("b_weight", [0])])
        for index in 0...1 { model.setGradient(index, [1]) }
        for _ in 0..<2 { try model.step(optimizer) }
        #expect(model.all == [[-2], [-1.5]])
    }

    @Test func larsCorrectsMomentum() throws {
        func weights(_ rule: LARS) throws -> [[Float]] {
            let schedule = try MultiFactorScheduler(steps: [1], factor: 0.5, baseRate: 1)
            let optimizer = Optimizer(rule, settings: OptimizerSettings(schedule: schedule))
            let model = TestParameters([("a_bias", [0]), ("b_bias", [0])])
            for index in 0...1 { model.setGradient(index, [1]) }
            for _ in 0..<2 { try model.step(optimizer) }
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
        try model.step(optimizer)
        #expect(model[0] == [1])
        model.setGradient(0, [2])
        try model.step(optimizer)
        // t = 2: l / (1 - 0.81) * m / u with m = 0.2, u = 2.
        #expect(abs(model[0][0] - Float(1 - 0.002 / 0.19 * 0.1)) < 1e-7)
    }

    @Test func refusesWhatItCannotDo() throws {
        let model = TestParameters([("a_weight", [1, 2])])
        let rows = Optimizer(GroupAdaGrad(), settings: OptimizerSettings(weightDecay: 0.1))
        #expect(throws: AnnealError.self) { try model.step(rows) }
        #expect(model[0] == [1, 2])
        let run = try OptimizedParameters(Optimizer(SGD()), [("a_weight", Tensor([2], [1, 2]))])
        #expect(throws: AnnealError.self) { try run.step([Tensor([3])]) }
        #expect(throws: AnnealError.self) { try run.step([]) }
    }

    /// The trainer stores weights in rows for it, even those of convolutions, which the engine otherwise reorders.
    @Test func groupAdaGradTrainsAnyNetwork() throws {
        let net = SymbolBuilder()
        var body = try net.convolution(.variable("data"), numFilter: 16, kernel: [3, 3], pad: [1, 1], name: "a")
        body = try net.convolution(net.activation(body, .relu), numFilter: 24, kernel: [3, 3], name: "b")
        body = try net.fullyConnected(body, numHidden: 3, name: "fc")
        let rate: Float = 0.5, epsilon: Float = 1e-5, batch = 4
        let trainer = try Trainer(
            net.softmaxOutput(body, name: "softmax"), dataShape: [3, 8, 8], batchSize: batch,
            optimizer: Optimizers.make("groupadagrad", ["learning_rate": 0.5]), keepsGradients: true)
        try trainer.initialize(Xavier())
        var history: [String: [Float]] = [:]
        for step in 0..<2 {
            let before = try trainer.parameters.names.map { ($0, try trainer.parameters.tensor($0)) }
            let slot = try trainer.slot()
            var random = Random(seed: 3, purpose: .test, index: step)
            for i in slot.data.indices { slot.data[i] = random.uniform(-1, 1) }
            for i in slot.labels.indices { slot.labels[i] = Float(i % 3) }
            try trainer.step()
            for (name, old) in before {
                let gradient = try #require(try trainer.gradient(name)).elements.map { $0 / Float(batch) }
                let new = try trainer.parameters.tensor(name).elements, row = old.count / old.shape[0]
                for first in stride(from: 0, to: old.count, by: row) {
                    let squares = gradient[first..<first + row].reduce(0) { $0 + $1 * $1 }
                    let sum = (history[name]?[first / row] ?? 0) + squares / Float(row)
                    history[name, default: Array(repeating: 0, count: old.shape[0])][first / row] = sum
                    for i in first..<first + row {
                        let expected = old.elements[i] - rate * gradient[i] / (sum + epsilon).squareRoot()
                        #expect(abs(new[i] - expected) < 1e-4, "\(name)[\(i)] in step \(step)")
                    }
                }
            }
        }
        #expect(try trainer.score(noiseSource(batch), metrics: CompositeMetric([Accuracy()]))[0].value.isFinite)
    }

    private func noiseSource(_ count: Int) throws -> InMemorySource {
        try InMemorySource(
            data: Tensor([count, 3, 8, 8], repeating: 0.5), labels: Tensor([count]), batchSize: count)
    }

    @Test func refusesForeignState() throws {
        let trainer = try SmallRun.trainer(), optimizer = trainer.optimizer, snapshot = optimizer.snapshot()
        func refuses(_ change: (inout OptimizerSnapshot) -> Void) {
            var wrong = snapshot
            change(&wrong)
            #expect(throws: AnnealError.self) { try optimizer.restore(wrong) }
        }
        refuses { $0.rule = "adam" }
        refuses { $0.counts["b_weight"] = 1 }
        refuses { $0.scalars = [1] }
        for updates in [-1, Int.max] {
            refuses { $0.counts["out_weight"] = updates }
            refuses { $0.updates = updates }
        }
        try optimizer.restore(snapshot)
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
