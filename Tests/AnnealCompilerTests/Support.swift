import AnnealCompiler
import AnnealCore
import AnnealGraph

/// An engine without kernels: convolutions use channels in blocks of 8, and so do operators after them; everything else
/// is plain.
final class BlockedEngine: KernelEngine {
    let name = "blocked"
    func supports(_ type: any Operator.Type) -> Bool { true }

    func prepare(_ site: KernelSite) throws -> PreparedKernel { PreparedKernel { _ in {} } }
    func message(_ status: Int32) -> String { "status \(status)" }

    func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) -> OperandLayouts {
        func blocked(_ shape: Shape) -> Layout { shape.rank == 4 ? .blocked(8) : .plain }
        let follows = op is Convolution || op is FusedConvolution || given.first == .blocked(8) && !op.isView
        return OperandLayouts(
            inputs: inputs.map { $0 == inputs[0] && follows ? blocked($0) : .plain },
            outputs: outputs.map { follows ? blocked($0) : .plain })
    }

    func accumulates(_ op: any Operator, part: Int) -> Bool { op is Pooling }
    var choosesLayouts: Bool { true }
    func addsOutputGradients(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool { false }
    func repeatsFromSaved(_ op: any Operator) -> Bool { op is FusedBatchNorm }
}

extension Program {
    /// The operators' names in order; `sum` and `update` for instructions without one.
    var operations: [String] { instructions.map(\.operation) }

    func value(_ name: String) -> Value? { variables[name].map { values[$0] } }
}

extension Program.Instruction {
    /// The action of an instruction of the update; nil for others.
    var phase: Phases {
        if case .update(let action) = action { action.phase } else { [] }
    }

    var operation: String {
        switch action {
        case .forward(let op): op.operation
        case .backward(let op, let part): "\(op.operation) backward \(part)"
        case .recompute(let op): "\(op.operation) again"
        case .sum: "sum"
        case .update(let action): action.name
        }
    }
}
