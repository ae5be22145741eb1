import Anneal
import Testing

/// Graphs of thousands of layers, for which passes take other paths than for usual ones. A pass whose time is quadratic
/// in their number makes these tests take minutes.
@Suite struct LargeGraphTests {
    private let net = SymbolBuilder()

    /// Each layer's shape is only known from the one after it.
    @Test func shapesFromReaders() throws {
        let count = 2000
        let variables = (0...count).map { Symbol.variable("v\($0)") }
        let layers = try (0..<count).map { try net.add(variables[$0], variables[$0 + 1]) }
        let shapes = try Symbol.group(layers).inferShapes(["v\(count)": [2, 3]])
        #expect(shapes.outputs == Array(repeating: [2, 3], count: count))
        #expect(shapes.variables["v0"] == [2, 3])
    }

    /// More buffers than the memory plan tries several orders for: values are right, so none was overwritten.
    @Test func plansOfManyBuffers() throws {
        let count = 3000, data = Symbol.variable("data")
        // y = x + x + …, each step's value also read at the end.
        var sum = data, values = [data]
        for _ in 0..<count {
            sum = try net.add(sum, data)
            values.append(sum)
        }
        let symbol = try net.addN(values)
        let executor = try Executor(symbol, inputs: ["data": [2]], mode: .training, gradients: ["data"])
        try executor.setInput("data", Tensor([2], [1, -2]))
        try executor.forward()
        try executor.backward()
        // 1 + 2 + … + (count + 1)
        let total = Float((count + 1) * (count + 2) / 2)
        #expect(try executor.output().elements == [total, -2 * total])
        #expect(try executor.gradient("data")?.elements == [total, total])
        let plan = try #require(executor.kernelPlan).memory
        #expect(plan.size >= plan.lowerBound && Double(plan.size) <= 1.1 * Double(plan.lowerBound))
    }

    @Test func shapesOfSumsOfManyArrays() throws {
        let sum = try net.addN(Array(repeating: .variable("data"), count: 20_000))
        let shapes = try sum.inferShapes(["data": [2, 3]])
        #expect(shapes.outputs == [[2, 3]])
        #expect(try NetworkSummary(sum, inputs: ["data": [2, 3]]).layers.count == 1)
    }

    @Test func manyInputsAndOutputs() throws {
        let count = 3000
        let parts = try net.apply(
            "SliceChannel", name: "parts", inputs: [.variable("data")],
            attributes: ["num_outputs": "\(count)", "axis": "1"])
        let joined = try net.apply(
            "Concat", name: "joined", inputs: parts.outputs.indices.map { parts[$0] },
            attributes: ["num_args": "\(count)", "dim": "1"])
        let executor = try Executor(joined, inputs: ["data": [1, count]], mode: .training, gradients: ["data"])
        let values = (0..<count).map { Float($0) }
        try executor.setInput("data", Tensor([1, count], values))
        try executor.forward()
        #expect(try executor.output().elements == values)
        _ = executor.input("head:0")?.update(from: values)
        try executor.backward()
        #expect(try executor.gradient("data")?.elements == values)
        #expect(try parts.outputNames().last == "parts_output\(count - 1)")
    }
}
