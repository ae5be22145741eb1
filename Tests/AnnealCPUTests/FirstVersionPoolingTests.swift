import Anneal
import AnnealReference
import Testing

/// The results of MXNet 1.9.1's `Pooling_v1` for the 3 x 3 data below, and its gradient when the output's is 1, 2, 3, …
@Suite struct FirstVersionPoolingTests {
    private static let data: [Float] = [1, 1, 0, 1, 1, 2, -1, 2, 2]

    struct Answer: Sendable {
        var attributes: [String: String]
        /// Whether the data is negated.
        var isNegative = false
        var output: [Float]
        var gradient: [Float]
    }

    static let answers = [
        // Every cell that equals a window's maximum gets the whole gradient.
        Answer(
            attributes: ["kernel": "(2, 2)", "pool_type": "max"], output: [1, 2, 2, 2],
            gradient: [1, 1, 0, 1, 1, 6, 0, 7, 4]),
        // The padding's zeros count.
        Answer(
            attributes: ["kernel": "(2, 2)", "pool_type": "max", "pad": "(1, 1)"], isNegative: true,
            output: [0, 0, 0, 0, 0, -1, 0, 0, 1, 1, -1, 0, 1, 1, 0, 0],
            gradient: [6, 6, 22, 6, 17, 0, 46, 0, 0]),
        Answer(
            attributes: ["kernel": "(2, 2)", "stride": "(2, 2)", "pool_type": "max", "pooling_convention": "full"],
            isNegative: true, output: [-1, 0, 1, -2], gradient: [1, 1, 2, 1, 1, 0, 3, 0, 4]),
        // An average is divided by the size of the whole kernel.
        Answer(
            attributes: ["kernel": "(2, 2)", "stride": "(2, 2)", "pool_type": "avg", "pooling_convention": "full"],
            output: [1, 0.5, 0.25, 0.5], gradient: [0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.75, 0.75, 1]),
        Answer(
            attributes: ["kernel": "(3, 3)", "stride": "(2, 2)", "pool_type": "avg", "pad": "(1, 1)"],
            output: [4 / 9, 4 / 9, 3 / 9, 7 / 9], gradient: [1, 3, 2, 4, 10, 6, 3, 7, 4].map { $0 / 9 }),
        Answer(
            attributes: [
                "kernel": "(2, 2)", "stride": "(2, 2)", "pool_type": "sum", "pad": "(1, 1)",
                "pooling_convention": "full",
            ], output: [1, 1, 0, 0, 7, 0, 0, 0, 0], gradient: [1, 2, 2, 4, 5, 5, 4, 5, 5]),
        Answer(
            attributes: ["kernel": "(2, 2)", "pool_type": "max", "global_pool": "True", "pad": "(1, 1)"], output: [2],
            gradient: [0, 0, 0, 0, 0, 1, 0, 1, 1]),
    ]

    @Test(arguments: answers) func asMXNet(_ answer: Answer) throws {
        for engine in [try defaultEngine(), ReferenceEngine()] as [any Engine] {
            let symbol = apply("Pooling_v1", answer.attributes, to: ["data"])
            let executor = try Executor(
                symbol, inputs: ["data": [1, 1, 3, 3]], mode: .training, gradients: ["data"], engine: engine)
            try executor.setInput("data", Tensor([1, 1, 3, 3], Self.data.map { answer.isNegative ? -$0 : $0 }))
            try executor.setInput(
                "head:0", Tensor(executor.outputShapes[0], answer.output.indices.map { Float($0 + 1) }))
            try executor.forward()
            #expect(isClose(try executor.output().elements, answer.output))
            try executor.backward()
            #expect(isClose(try #require(try executor.gradient("data")).elements, answer.gradient))
        }
    }

    private func isClose(_ found: [Float], _ expected: [Float]) -> Bool {
        found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-6 }
    }

    /// MXNet returns -infinity for them.
    @Test func maximaOfNoCellAreRefused() throws {
        let symbol = apply(
            "Pooling_v1", ["kernel": "(1, 1)", "stride": "(4, 4)", "pooling_convention": "full"], to: ["data"])
        #expect(throws: AnnealError.self) { try symbol.inferShapes(["data": [1, 1, 3, 3]]) }
    }
}
