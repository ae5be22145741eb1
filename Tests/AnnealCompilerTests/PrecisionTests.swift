import AnnealCompiler
import AnnealCore
import AnnealGraph
import Testing

/// Which values the pass gives another type, and which stay float32.
@Suite struct PrecisionTests {
    private let builder = SymbolBuilder()

    private func program() throws -> Program {
        var net = try builder.convolution(.variable("data"), numFilter: 4, kernel: [1, 1], name: "c")
        net = try builder.activation(builder.batchNorm(net, name: "n"), .relu, name: "r")
        net = try builder.softmaxOutput(
            builder.fullyConnected(builder.flatten(net), numHidden: 2, name: "f"), name: "softmax")
        var update = TrainingUpdate(PassTests.Momentum())
        update.order = try net.argumentNames() + net.auxiliaryNames()
        var request = PlanRequest(
            .network(
                net, inputs: ["data": [2, 3, 4, 4], "softmax_label": [2]],
                gradients: ["c_weight", "c_bias", "n_gamma", "n_beta", "f_weight", "f_bias"]),
            mode: .training)
        request.update = update
        return try request.program()
    }

    @Test func whatFlowsBetweenLayersHasTheWantedType() throws {
        let result = try Precision.assign(.bfloat16, to: program())
        func types(_ operation: String, _ role: Program.Operand) -> [ElementType] {
            result.instructions.filter { $0.operation == operation }
                .compactMap { ($0.reading(role) ?? $0.writing(role)).map { result.values[$0].type } }
        }
        for operation in ["Convolution", "BatchNorm", "Activation", "FullyConnected"] {
            #expect(types(operation, .output(0)) == [.bfloat16], "\(operation)")
        }
        // Gradients of activations, and what the loss reads.
        #expect(types("Activation backward 0", .gradient(0)) == [.bfloat16])
        #expect(types("SoftmaxOutput", .input(0)) == [.bfloat16])
        // The batch's statistics, the loss, its gradient.
        #expect(types("BatchNorm", .saved(0)) == [.float32])
        #expect(types("SoftmaxOutput", .output(0)) == [.float32])
        #expect(types("SoftmaxOutput backward 0", .gradient(0)) == [.float32])
    }

    @Test func parametersAndAllThatFollowsTheirGradientsStayFloat32() throws {
        let result = try Precision.assign(.float16, to: program())
        for value in result.values where [.parameter, .auxiliary, .state, .input].contains(value.kind) {
            #expect(value.type == .float32, "\(value.name)")
        }
        for (name, gradient) in result.gradients { #expect(result.values[gradient].type == .float32, "\(name)") }
        for check in result.checks { #expect(result.values[check.value].type == .float32) }
    }

    @Test func float32ChangesNothingAndIntegersAreRefused() throws {
        let program = try program()
        #expect(try Precision.assign(.float32, to: program).values.allSatisfy { $0.type == .float32 })
        #expect(throws: AnnealError.self) { try Precision.assign(.uint8, to: program) }
    }
}
