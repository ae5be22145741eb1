import Anneal
import AnnealCompiler
import AnnealReference
import Testing

/// Chains of rules; `RuleTableTests` has the properties that all rules share.
@Suite struct RuleChainTests {
    /// Weights after steps with gradients of noise.
    private func weights(
        _ rule: any OptimizerRule, weightDecay: Double = 0, clipGradient: Double? = nil, steps: Int = 4
    ) throws -> [[Float]] {
        // Not a multiple of the blocks that chains work in.
        let model = TestParameters([("a_weight", noise(9_000, 1)), ("a_bias", noise(30, 2))], rowLength: 10)
        let optimizer = Optimizer(
            rule,
            settings: OptimizerSettings(
                learningRate: 0.05, weightDecay: weightDecay, clipGradient: clipGradient, rescaleGradient: 0.25))
        for step in 0..<steps {
            for index in 0...1 { model.setGradient(index, noise(index == 0 ? 9_000 : 30, UInt64(10 * step + index))) }
            try model.step(optimizer)
        }
        return model.all
    }

    /// Multiplication by 0.25 is exact wherever it happens. (lbsgd's strategy lars computes norms before it.)
    @Test(arguments: RuleCase.all.filter { !($0.make() is RuleChain) && $0.label != "lbsgd lars" }, [nil, 0.1])
    func aChainOfOneRuleIsThatRule(_ rule: RuleCase, _ clip: Double?) throws {
        let decay = rule.label == "groupadagrad" ? 0 : 0.01
        let alone = try weights(rule.make(), weightDecay: decay, clipGradient: clip)
        let chained = try weights(
            RuleChain(then: RuleChain(then: rule.make())), weightDecay: decay, clipGradient: clip)
        #expect(alone == chained)
    }

    /// Rules that begin with C(r*g) + d*w, or r*g + d*w where nothing is clipped.
    @Test func decayBeforeARuleIsTheRulesOwnDecay() throws {
        let nesterov = SGD(momentum: 0.9, nesterov: true)
        let rules: [any OptimizerRule] = [nesterov, Adam(), Adamax(), Nadam(), FTML()]
        for rule in rules {
            let alone = try weights(rule, weightDecay: 0.01)
            #expect(try weights(RuleChain(WeightDecay(), then: rule), weightDecay: 0.01) == alone)
            #expect(try weights(RuleChain(WeightDecay(0.01), then: rule)) == alone)
        }
        #expect(
            try weights(RuleChain(ClipGradient(0.1), WeightDecay(), then: nesterov), weightDecay: 0.01)
                == weights(nesterov, weightDecay: 0.01, clipGradient: 0.1))
    }

    private func step(
        _ chain: RuleChain, weights: [Float], gradients: [Float], decay: Double = 0, name: String = "a_weight",
        engine: (any Engine)? = nil
    ) throws -> TestParameters {
        let model = TestParameters([(name, weights)], engine: engine)
        model.setGradient(0, gradients)
        try model.step(
            Optimizer(chain, settings: OptimizerSettings(learningRate: 0.5, weightDecay: decay)))
        return model
    }

    /// w = 1, g = 2, l = 0.5, d = 0.5: 1 - 0.5 * (1 + 0.5), and 1 - 0.5 * 1.
    @Test func linksActInTheirOrder() throws {
        let clipped = RuleChain(ClipGradient(1), WeightDecay(), then: SGD())
        let decayed = RuleChain(WeightDecay(), ClipGradient(1), then: SGD())
        for engine in [try defaultEngine() as any Engine, ReferenceEngine()] {
            #expect(try step(clipped, weights: [1], gradients: [2], decay: 0.5, engine: engine)[0] == [0.25])
            #expect(try step(decayed, weights: [1], gradients: [2], decay: 0.5, engine: engine)[0] == [0.5])
        }
        // The rule's own decay, which no link takes: 1 - 0.5 * 1 - 0.5 * 0.5.
        #expect(
            try step(RuleChain(ClipGradient(1), then: SGD()), weights: [1], gradients: [2], decay: 0.5)[0] == [0.25])
        // Biases do not decay, wherever the decay is set.
        let own = RuleChain(WeightDecay(0.5), then: SGD())
        #expect(try step(own, weights: [1], gradients: [0])[0] == [0.75])
        #expect(try step(own, weights: [1], gradients: [0], name: "a_bias")[0] == [1])
        let bounded = RuleChain(then: SGD(), after: [ClipWeight(1.5)])
        #expect(try step(bounded, weights: [1, 1, -1], gradients: [-9, 1, 9])[0] == [1.5, 0.5, -1.5])
    }

    /// m = 0.5*m + 0.5*g: 1, then 0.5 - 1 = -0.5 with g = -2; w = 4 - 0.5*1, then + 0.25.
    @Test func averagesOfGradientsAreStates() throws {
        let chain = RuleChain(AverageGradient(0.5), then: SGD(momentum: 0), after: [FollowingWeight()])
        let model = try step(chain, weights: [4], gradients: [2])
        #expect(model[0] == [3.5])
        model.setGradient(0, [-2])
        try model.step(Optimizer(chain))
        #expect(model[0] == [3.75])
        #expect(try model.state("a_weight", 0) == [-0.5])
        #expect(try model.state("a_weight", 1) == [3.75])
        #expect(try model.state("a_weight", 2) == [3.5])
        #expect(try model.state("a_weight", 3) == nil)
    }

    /// MXNet's groupadagrad has no weight decay; a link has.
    @Test func decayIsTheLinksWhereTheRuleHasNone() throws {
        let chain = RuleChain(WeightDecay(), then: GroupAdaGrad(epsilon: 0))
        // G = 2 + 0.5*4 = 4, h = 16, w = 4 - 0.5*4/4.
        #expect(try step(chain, weights: [4], gradients: [2], decay: 0.5)[0] == [3.5])
        #expect(throws: AnnealError.self) {
            try step(RuleChain(ClipGradient(1), then: GroupAdaGrad()), weights: [4], gradients: [2], decay: 0.5)
        }
    }

    /// After the first update the average goes 9/11 of the way (`WeightAveraging`).
    @Test func aChainMayAverageTheWeights() throws {
        let rule = RuleChain(then: SGD(), averaging: .movingAverage(decay: 0.999))
        let run = try OptimizedParameters(
            Optimizer(rule, settings: OptimizerSettings(learningRate: 1)), [("a_weight", Tensor([1], [12]))])
        try run.step([Tensor([1], [11])])
        #expect(try run.value("a_weight").elements == [1])
        let average = try #require(try run.average("a_weight")).elements[0]
        #expect(abs(average - 3) < 1e-5)

        let chain = try trainer(averaging: .movingAverage(decay: 0.9)),
            given = try SmallRun.trainer(
                averaging: .movingAverage(decay: 0.9))
        for trainer in [chain, given] { try trainer.fit(training: SmallRun.source(), epochs: 0..<2) }
        #expect(chain.averaging == .movingAverage(decay: 0.9))
        #expect(try chain.stateHashes()[0].hash == given.stateHashes()[0].hash)
        for (a, b) in zip(chain.parameters.states, given.parameters.states) {
            #expect(a.name == b.name)
            #expect(try a.array.read() == b.array.read())
        }
    }

    /// As `SmallRun`'s, with a chain of one rule, or more.
    private func trainer(
        _ rule: RuleChain? = nil, averaging: WeightAveraging? = nil, canDropSteps: Bool = false
    ) throws -> Trainer {
        let model = try SmallRun.trainer()
        let trainer = try Trainer(
            model.symbol, dataShape: [6], batchSize: 4,
            optimizer: Optimizer(
                rule ?? RuleChain(then: SGD(momentum: 0.9), averaging: averaging), settings: model.optimizer.settings),
            seed: 1, canDropSteps: canDropSteps)
        try trainer.initialize(Xavier())
        return trainer
    }

    private let long = RuleChain(
        ClipGradient(0.5), AverageGradient(0.5), WeightDecay(), then: Adam(), after: [FollowingWeight()],
        averaging: .movingAverage(decay: 0.9))

    @Test func statesAreSavedAndRestored() throws {
        let folder = try StateFolder(), whole = try trainer(long)
        try whole.fit(training: SmallRun.source(), epochs: 0..<3)
        let names = whole.parameters.states.map(\.name)
        #expect(Set(names).count == names.count)
        #expect((0..<5).allSatisfy { names.contains("optimizer:out_weight:\($0)") })
        #expect(names.contains("ema:out_weight") && !names.contains("optimizer:out_weight:5"))

        let first = try trainer(long), watcher = Steps(7)
        try first.fit(
            training: SmallRun.source(), epochs: 0..<3,
            options: FitOptions(modelPrefix: folder.prefix, observers: [watcher], shouldStop: watcher.isOver))
        let second = try trainer(long)
        let progress = try second.restoreState(Checkpoint.latestPath(folder.prefix))
        try second.fit(training: SmallRun.source(), epochs: progress.position.epoch..<3, from: progress)
        #expect(try whole.stateHashes().map(\.hash) == second.stateHashes().map(\.hash))

        let other = RuleChain(ClipGradient(0.5), then: Adam(), averaging: .movingAverage(decay: 0.9))
        let error = #expect(throws: AnnealError.self) {
            try trainer(other).restoreState(Checkpoint.latestPath(folder.prefix))
        }
        #expect(
            error?.problem.contains(
                "was chain(clip_gradient, average_gradient, weight_decay, adam, following), now it is chain(clip_gradient, adam)"
            ) == true, "\(error as Any)")
    }

    /// A dropped step changes no state of any link.
    @Test func aDroppedStepChangesNothing() throws {
        let others = (0..<20).filter { !(4..<8).contains($0) }
        let without = try trainer(long, canDropSteps: true), with = try trainer(long, canDropSteps: true)
        let options = FitOptions(onNonFinite: .skip)
        try without.fit(training: SmallRun.source(others), epochs: 0..<1, options: options)
        try with.fit(training: SmallRun.source(data: { $0 == 5 ? .nan : nil }), epochs: 0..<1, options: options)
        #expect(try with.stateHashes().map(\.hash) == without.stateHashes().map(\.hash))
    }

    @Test func namesAreNotOptions() {
        #expect(throws: AnnealError.self) { try Optimizers.make("chain") }
        var options: NamedOptions = [:]
        #expect(throws: AnnealError.self) { try RuleChain(options: &options) }
    }
}
