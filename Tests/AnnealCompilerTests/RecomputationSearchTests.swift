import AnnealCompiler
import AnnealCore
import AnnealGraph
import Testing

/// What is recomputed to save memory, for an engine without kernels.
@Suite struct RecomputationSearchTests {
    /// Twelve layers whose gradients read their outputs, 768 floats each.
    private func plan(_ recomputation: Recomputation) throws -> KernelPlan {
        let builder = SymbolBuilder()
        var body = Symbol.variable("data")
        for index in 0..<12 { body = try builder.activation(body, .tanh, name: "t\(index)") }
        let net = try builder.softmaxOutput(
            builder.fullyConnected(body, numHidden: 2, name: "f"), name: "softmax")
        var request = PlanRequest(
            .network(net, inputs: ["data": [16, 48], "softmax_label": [16]], gradients: ["data", "f_weight"]),
            mode: .training)
        request.recomputation = recomputation
        let engine = BlockedEngine()
        return try KernelPlan(request, store: ParameterStore(engine: engine), engine: engine)
    }

    @Test func memoryIsTradedForWork() throws {
        let plain = try plan(.off), small = try plan(Recomputation(share: 1, price: 0))
        #expect(plain.program.operations.count { $0.hasSuffix("again") } == 0)
        let repeated = small.program.operations.count { $0.hasSuffix("again") }
        // The last layer's output is available when the backward pass begins.
        #expect(repeated > 0 && repeated < 12)
        // Without it all twelve outputs, 36 kB, are alive at once.
        #expect(plain.plannedBytes > 12 * 4 * 768)
        #expect(small.plannedBytes < plain.plannedBytes * 3 / 4)
        #expect(throws: Never.self) { try small.program.verify(after: "test") }
    }

    /// A work budget of zero allows none.
    @Test func workIsLimited() throws {
        let none = try plan(Recomputation(share: 0, price: 0))
        #expect(none.program.operations.count { $0.hasSuffix("again") } == 0)
    }
}
