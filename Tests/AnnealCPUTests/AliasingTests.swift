import Anneal
import Testing

/// Values that are read, kept or returned in more than one way.
@Suite struct AliasingTests {
    private func run(_ symbol: Symbol, _ inputs: [String: Tensor], heads: [[Float]?] = []) throws -> Executor {
        let executor = try Executor(
            symbol, inputs: inputs.mapValues(\.shape), mode: .training, gradients: Set(inputs.keys))
        for (name, value) in inputs { try executor.setInput(name, value) }
        for (index, head) in heads.enumerated() {
            if let head { _ = executor.input("head:\(index)")?.update(from: head) }
        }
        try executor.forward()
        try executor.backward()
        return executor
    }

    private let x = Tensor([4], [-1, 0.5, 2, -3])

    @Test func oneValueTwice() throws {
        let builder = SymbolBuilder(), data = Symbol.variable("data")
        let square = try run(builder.elementwise(.multiply, data, data), ["data": x])
        #expect(try square.output().elements == [1, 0.25, 4, 9])
        #expect(try square.gradient("data")?.elements == [-2, 1, 4, -6])
        let double = try run(builder.add(data, data), ["data": x])
        #expect(try double.gradient("data")?.elements == [2, 2, 2, 2])
        let triple = try run(builder.addN([data, data, data]), ["data": x])
        #expect(try triple.output().elements == [-3, 1.5, 6, -9])
        #expect(try triple.gradient("data")?.elements == [3, 3, 3, 3])
    }

    /// h is read by three layers, all of which could write over it.
    @Test func manyReaders() throws {
        let builder = SymbolBuilder()
        let h = try builder.unary(.negative, .variable("data"))
        let sum = try builder.addN([
            builder.unary(.relu, h), builder.clip(h, from: -1, to: 1), builder.multiply(h, by: 2),
        ])
        let executor = try run(sum, ["data": x])
        let expected: [Float] = [4, -1.5, -5, 10]
        #expect(try executor.output().elements == expected)
        #expect(try executor.gradient("data")?.elements == [-4, -3, -2, -3])
    }

    @Test func innerValueIsOutputToo() throws {
        let builder = SymbolBuilder()
        let h = try builder.unary(.square, .variable("data"))
        let executor = try run(
            Symbol.group([h, builder.unary(.negative, builder.reshape(h, shape: [2, 2])), h]), ["data": x],
            heads: [[1, 1, 1, 1], [2, 2, 2, 2], [10, 10, 10, 10]])
        #expect(try executor.output(0).elements == [1, 0.25, 4, 9])
        #expect(try executor.output(1) == Tensor([2, 2], [-1, -0.25, -4, -9]))
        #expect(try executor.output(2).elements == [1, 0.25, 4, 9])
        // (1 - 2 + 10) * 2x
        #expect(try executor.gradient("data")?.elements == [-18, 9, 36, -54])
    }

    @Test func variableAsOutput() throws {
        let builder = SymbolBuilder(), data = Symbol.variable("data"), weight = Symbol.variable("w")
        let symbol = try Symbol.group([data, weight, builder.elementwise(.multiply, data, weight)])
        let executor = try Executor(
            symbol, inputs: ["data": [2], "w": [2]], mode: .training, gradients: ["data", "w"])
        try executor.setInput("data", Tensor([2], [3, 4]))
        try executor.setInput("w", Tensor([2], [5, 6]))
        try executor.forward()
        try executor.backward()
        #expect(try executor.output(0).elements == [3, 4])
        #expect(try executor.output(1).elements == [5, 6])
        #expect(try executor.output(2).elements == [15, 24])
        #expect(try executor.gradient("data")?.elements == [6, 7])
        #expect(try executor.gradient("w")?.elements == [4, 5])
    }

    @Test func parameterAsOutput() throws {
        let builder = SymbolBuilder()
        let fc = try builder.fullyConnected(.variable("data"), numHidden: 2, noBias: true, name: "fc")
        let symbol = Symbol.group([fc, try fc.internals().output(named: "fc_weight")])
        let executor = try Executor(symbol, inputs: ["data": [1, 2]], mode: .training)
        try executor.parameters.set("fc_weight", Tensor([2, 2], [1, 2, 3, 4]))
        try executor.setInput("data", Tensor([1, 2], [1, 1]))
        try executor.forward()
        try executor.backward()
        #expect(try executor.output(0).elements == [3, 7])
        #expect(try executor.output(1).elements == [1, 2, 3, 4])
        #expect(try executor.gradient("fc_weight")?.elements == [2, 2, 2, 2])
    }

    /// Computed weights are converted to the convolution's layout in each run.
    @Test func computedWeights() throws {
        let builder = SymbolBuilder()
        let half = try builder.multiply(.variable("w"), by: 0.5)
        let conv = try builder.convolution(
            .variable("data"), numFilter: 16, kernel: [1, 1], noBias: true, weight: half, name: "c")
        let executor = try Executor(
            conv, inputs: ["data": [1, 1, 2, 2], "w": [16, 1, 1, 1]], mode: .training, gradients: ["data", "w"])
        try executor.setInput("data", Tensor([1, 1, 2, 2], [1, 2, 3, 4]))
        try executor.setInput("w", Tensor([16, 1, 1, 1], (0..<16).map { Float($0) }))
        try executor.forward()
        try executor.backward()
        let expected = (0..<16).flatMap { w in (1...4).map { Float($0) * Float(w) * 0.5 } }
        #expect(try executor.output().elements == expected)
        #expect(try executor.gradient("w")?.elements == Array(repeating: 5, count: 16))
        #expect(try executor.gradient("data")?.elements == Array(repeating: 60, count: 4))
    }

    @Test func nobodyReadsAnOutput() throws {
        let builder = SymbolBuilder()
        let pieces = try builder.split(builder.unary(.square, .variable("data")), into: 2, axis: 0)
        let executor = try run(Symbol([pieces.outputs[1]]), ["data": x])
        #expect(try executor.output().elements == [4, 9])
        #expect(try executor.gradient("data")?.elements == [0, 0, 4, -6])
    }
}
