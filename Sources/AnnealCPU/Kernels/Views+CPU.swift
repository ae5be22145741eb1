import AnnealCompiler
import AnnealGraph
import CAnnealKernels

// Views usually compute nothing: the memory plan lets their output be their input. These kernels run where that is
// impossible, for a parameter, say.

/// An operator with an output that is its input's memory, and the same for the gradients.
private protocol ViewOperator: CPUOperator {}

extension ViewOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try copyKernel(site, from: .input(0), to: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try copyKernel(site, from: .outputGradient(0), to: .gradient(0))
    }
}

extension ExpandDims: ViewOperator {}
extension Flatten: ViewOperator {}
extension Reshape: ViewOperator {}
extension ReshapeLike: ViewOperator {}
extension Squeeze: ViewOperator {}

extension BlockGrad: ViewOperator {
    // The shape stays, so the layout may stay too.
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }
}

func copyKernel(_ site: KernelSite, from: Program.Operand, to: Program.Operand) throws -> PreparedKernel {
    let value = try site.value(from)
    let count = Int64(value.layout.elements(value.shape))
    var kernel = PreparedKernel { memory in
        let x = memory[from], y = memory[to]
        return { anneal_copy(x, y, count) }
    }
    kernel.inPlace = [(from, to)]
    return kernel
}
