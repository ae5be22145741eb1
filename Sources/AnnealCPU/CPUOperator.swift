import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

/// What an operator is asked about layouts.
package struct LayoutRequest {
    let engine: CPUEngine
    let inputs: [Shape]
    let outputs: [Shape]
    /// nil: a parameter with a layout that is still free.
    let given: [Layout?]
    let mode: Program.Mode
    let layer: String

    /// All operands plain.
    var plain: OperandLayouts {
        OperandLayouts(inputs: inputs.map { _ in .plain }, outputs: outputs.map { _ in .plain })
    }

    /// Activations of one shape share the layout of the first that is blocked; everything else is plain.
    var following: OperandLayouts {
        let leader = zip(inputs, given).first { shape, layout in
            guard shape == inputs[0], let layout, case .blocked = layout else { return false }
            return true
        }
        let layout = (leader?.1 ?? nil) ?? .plain
        return OperandLayouts(
            inputs: inputs.map { $0 == inputs[0] ? layout : .plain },
            outputs: outputs.map { $0.rank >= 3 ? layout : .plain })
    }
}

/// An operator's CPU kernels. Each operator conforms in the file of its name.
package protocol CPUOperator: Operator {
    func layouts(_ request: LayoutRequest) throws -> OperandLayouts
    func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel
    func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel
    /// Whether a part can add to an existing gradient (the operand `accumulated`).
    func accumulates(part: Int) -> Bool
    /// Whether a part that writes these operands can add up two output gradients (the operand `secondOutputGradient`).
    func addsOutputGradients(part: Int, writes: [Program.Operand]) -> Bool
    /// Whether the forward kernel is cheaper when it reads what it saved earlier.
    var repeatsFromSaved: Bool { get }
}

extension CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.plain }
    package func accumulates(part: Int) -> Bool { false }
    package func addsOutputGradients(part: Int, writes: [Program.Operand]) -> Bool { false }
    package var repeatsFromSaved: Bool { false }
}

/// An operator that the compiler creates for inference only.
protocol InferenceOperator: CPUOperator {}

extension InferenceOperator {
    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        throw AnnealError(
            "", "\(operation) is for inference only", suggestion: "this is a bug in Anneal's compiler",
            code: .internalDefect)
    }
}

/// The kernels' view of an activation: batch, channels, positions, block.
struct Dims {
    let c: anneal_dims

    /// Arrays with fewer than three axes are one position (batch, channels), or a vector of channels.
    init(_ shape: Shape, _ layout: Layout) {
        let n = shape.rank >= 2 ? shape[0] : 1
        let channels = shape.rank >= 2 ? shape[1] : shape.count
        c = anneal_dims(
            n: Int64(n), c: Int64(channels), s: Int64(shape.dims.dropFirst(2).reduce(1, *)), b: Int64(layout.block))
    }

    init(_ value: Program.Value) { self.init(value.shape, value.layout) }

    var elements: Int64 { anneal_elements(c) }
}
