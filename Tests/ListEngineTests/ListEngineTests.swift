import Anneal
import ListEngine
import Testing

// Neither the engine nor these tests have package access: they use only public declarations.

/// An engine of another package runs the same networks as this package's engines.
@Suite struct ListEngineTests {
    private func network() throws -> Symbol {
        let net = SymbolBuilder()
        let hidden = try net.activation(net.fullyConnected(.variable("data"), numHidden: 12, name: "a"), .tanh)
        return try net.softmaxOutput(net.fullyConnected(hidden, numHidden: 3, name: "b"), name: "softmax")
    }

    /// - Parameter broken: a sample that is not a number.
    private func source(broken: Int? = nil) throws -> InMemorySource {
        var data: [Float] = []
        for i in 0..<22 * 6 {
            let step: Int = (i * 37 + i / 6 * 11) % 19
            data.append(Float(step) / 9 - 1)
        }
        if let broken { data[broken * 6] = Float.nan }
        let labels: [Float] = (0..<22).map { Float($0 * 7 % 3) }
        return try InMemorySource(data: Tensor([22, 6], data), labels: Tensor([22], labels), batchSize: 4)
    }

    private struct Outcome {
        var weights: [[Float]]
        var metrics: [Double]
    }

    private func run(
        _ device: Device, _ rule: any OptimizerRule, averaging: WeightAveraging? = nil, accumulation: Int = 1,
        broken: Int? = nil
    ) throws -> Outcome {
        let settings = OptimizerSettings(learningRate: 0.05, weightDecay: 0.01, clipNorm: 1)
        let trainer = try Trainer(
            network(), dataShape: [6], batchSize: 4, optimizer: Optimizer(rule, settings: settings), seed: 3,
            averaging: averaging, accumulation: accumulation, canDropSteps: broken != nil, device: device)
        try trainer.initialize(Xavier())
        try trainer.fit(
            training: source(broken: broken), epochs: 0..<3,
            options: FitOptions(onNonFinite: broken == nil ? .stop : .skip))
        let metrics = try trainer.score(source(), metrics: CompositeMetric([Accuracy(), CrossEntropy()]))
        return Outcome(
            weights: try trainer.parameters.names.map { try trainer.parameters.tensor($0).elements },
            metrics: metrics.map(\.value))
    }

    private func expectClose(_ a: Outcome, _ b: Outcome) {
        for (x, y) in zip(a.weights.joined(), b.weights.joined()) { #expect(abs(x - y) <= 1e-5 * max(1, abs(y))) }
        for (x, y) in zip(a.metrics, b.metrics) { #expect(abs(x - y) < 1e-4) }
    }

    @Test func trainsAsTheProcessorDoes() throws {
        let chain = RuleChain(ClipGradient(0.5), then: LAMB())
        let rules: [any OptimizerRule] = [SGD(momentum: 0.9), Adam(), SGLD(), chain]
        for rule in rules { expectClose(try run(Device(ListEngine()), rule), try run(.cpu(), rule)) }
    }

    @Test func averagesAccumulatesAndDropsStepsAsTheProcessorDoes() throws {
        for accumulation in [1, 3] {
            let outcomes = try [Device(ListEngine()), .cpu()].map {
                try run(
                    $0, SGD(momentum: 0.9), averaging: .movingAverage(decay: 0.9), accumulation: accumulation, broken: 9
                )
            }
            expectClose(outcomes[0], outcomes[1])
        }
    }

    /// Scoring, and parameters alone.
    @Test func everythingTakesAnEngine() throws {
        let device = Device(ListEngine())
        #expect(device.name == "list")
        let executor = try Executor(network(), inputs: ["data": [2, 6]], mode: .inference, device: device)
        let scorer = try Scorer(ClassifierNetwork(network()), dataShape: [6], batchSize: 4, device: device)
        for store in [executor.parameters, scorer.parameters] {
            for name in store.names { try store.set(name, Tensor(#require(store.shape(name)), repeating: 0.5)) }
        }
        try executor.setInput("data", Tensor([2, 6], repeating: 1))
        try executor.forward()
        // All classes are equally likely.
        #expect(try executor.output().elements.allSatisfy { abs($0 - 1 / 3) < 1e-6 })
        let metrics = try scorer.score(source(), metrics: CompositeMetric([CrossEntropy()]))
        #expect(abs(metrics[0].value - 1.098612) < 1e-5)

        let parameters = try OptimizedParameters(
            Optimizer(SGD(), settings: OptimizerSettings(learningRate: 0.5)), [("w", Tensor([1], [2]))], device: device)
        try parameters.step([Tensor([1], [1])])
        #expect(try parameters.value("w").elements == [1.5])
    }

    @Test func whatItLacksIsNamed() throws {
        let net = SymbolBuilder()
        let normal = try net.batchNorm(.variable("data"), name: "bn")
        let symbol = try net.softmaxOutput(net.fullyConnected(normal, numHidden: 3, name: "fc"), name: "softmax")
        let error = #expect(throws: AnnealError.self) {
            try Executor(symbol, inputs: ["data": [2, 6]], mode: .training, device: Device(ListEngine()))
        }
        #expect(error?.description.contains("layer bn: the operator BatchNorm is not in the list engine") == true)
    }
}
