import Anneal
import Testing

/// One weight of two convolutions, against the same network with two weights of equal values.
@Suite struct SharedWeightTests {
    /// - Parameter plainFirst: whether the convolution that reads plain images of three channels comes before the one
    ///   that reads another convolution's output: they need the weight in different layouts.
    private func run(shared: Bool, plainFirst: Bool) throws -> (outputs: [Tensor], gradient: [Float]) {
        let builder = SymbolBuilder(), data = Symbol.variable("data")
        let few = try builder.convolution(data, numFilter: 3, kernel: [1, 1], noBias: true, name: "few")
        let one = Symbol.variable("w1"), two = shared ? one : .variable("w2")
        func on(_ data: Symbol, _ weight: Symbol) throws -> Symbol {
            try builder.convolution(data, numFilter: 16, kernel: [3, 3], noBias: true, weight: weight)
        }
        let symbol =
            try plainFirst ? Symbol.group([on(data, one), on(few, two)]) : Symbol.group([on(few, one), on(data, two)])
        let executor = try Executor(symbol, inputs: ["data": [4, 3, 9, 9]], mode: .training)
        let weight = normal([16, 3, 3, 3], seed: 5)
        for name in shared ? ["w1"] : ["w1", "w2"] { try executor.parameters.set(name, weight) }
        try executor.parameters.set("few_weight", normal([3, 3, 1, 1], seed: 6))
        for (name, seed) in [("data", 7), ("head:0", 8), ("head:1", 9)] as [(String, UInt64)] {
            guard let count = executor.input(name)?.count else { continue }
            _ = executor.input(name)?.update(from: normal([count], seed: seed).elements)
        }
        try executor.forward()
        let outputs = try (0..<2).map { try executor.output($0) }
        try executor.backward()
        var gradient = try #require(try executor.gradient("w1")).elements
        if !shared { gradient = zip(gradient, try #require(try executor.gradient("w2")).elements).map { $0 + $1 } }
        return (outputs, gradient)
    }

    @Test(arguments: [true, false]) func isTheSumOfBoth(plainFirst: Bool) throws {
        let (one, two) = try (run(shared: true, plainFirst: plainFirst), run(shared: false, plainFirst: plainFirst))
        for (a, b) in zip(one.outputs, two.outputs) { #expect(InferenceTests.largestDifference(a, b) < 1e-5) }
        let shape: Shape = [one.gradient.count]
        #expect(InferenceTests.largestDifference(Tensor(shape, one.gradient), Tensor(shape, two.gradient)) < 1e-5)
    }
}
