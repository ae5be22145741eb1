import Anneal
import Testing

@Suite struct ClipNormTests {
    /// Gradients (3, 4) and 12 have the norm 13, of means over two samples 6.5.
    @Test(arguments: [1.0, 6.5, 100]) func scalesAllGradientsTogether(limit: Double) throws {
        let expected = limit == 1 ? [-3.0 / 13, -4.0 / 13, -12.0 / 13] : [-1.5, -2, -6]
        let parameters = TestParameters([("a_weight", [0, 0]), ("b_bias", [0])])
        parameters.setGradient(0, [3, 4])
        parameters.setGradient(1, [12])
        let optimizer = Optimizer(
            SGD(), settings: OptimizerSettings(learningRate: 1, clipNorm: limit, rescaleGradient: 0.5))
        try parameters.step(optimizer)
        for (value, number) in zip(parameters.all.joined(), expected) { #expect(abs(Double(value) - number) < 1e-5) }
    }

    @Test func threadsDoNotMatter() throws {
        let threads = Parallel.threads
        defer { Parallel.setThreads(threads) }
        let results = try [1, 2, 5].map { count in
            Parallel.setThreads(count)
            let parameters = TestParameters([("a_weight", noise(40_000, 1)), ("b_weight", noise(77, 2))])
            parameters.setGradient(0, noise(40_000, 3))
            parameters.setGradient(1, noise(77, 4))
            let optimizer = Optimizer(
                SGD(momentum: 0.9), settings: OptimizerSettings(learningRate: 0.1, clipNorm: 0.01))
            for _ in 0..<3 { try parameters.step(optimizer) }
            return parameters.all
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    @Test func aBrokenGradientIsSeen() throws {
        let parameters = TestParameters([("a_weight", [0, 0])])
        parameters.setGradient(0, [.nan, 4])
        let optimizer = Optimizer(SGD(), settings: OptimizerSettings(learningRate: 1, clipNorm: 1))
        try parameters.step(optimizer)
        #expect(parameters[0][0].isNaN)
    }
}
