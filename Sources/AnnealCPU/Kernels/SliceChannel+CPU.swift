import AnnealCompiler
import AnnealCore
import AnnealGraph

extension SliceChannel: CPUOperator {
    /// Blocked if no block holds channels of two outputs.
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        let data = request.inputs[0], index = axis < 0 ? axis + data.rank : axis
        guard case .blocked(let block)? = request.given[0], !squeezeAxis,
            index != 1 || data[1] / numOutputs % block == 0
        else { return request.plain }
        return OperandLayouts(inputs: [.blocked(block)], outputs: request.outputs.map { _ in .blocked(block) })
    }

    private func extents(_ data: Shape) -> [Int] {
        Array(repeating: data[axis] / numOutputs, count: numOutputs)
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try cutKernel(
            site, axis: axis, whole: .input(0), parts: (0..<numOutputs).map { .output($0) },
            extents: extents(try site.shape(.input(0))))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try joinKernel(
            site, axis: axis, parts: (0..<numOutputs).map { .outputGradient($0) },
            extents: extents(try site.shape(.gradient(0))),
            whole: .gradient(0))
    }
}

extension Stack: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try joinKernel(
            site, axis: axis, parts: (0..<numArgs).map { .input($0) }, extents: Array(repeating: 1, count: numArgs),
            whole: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try cutKernel(
            site, axis: axis, whole: .outputGradient(0), parts: (0..<numArgs).map { .gradient($0) },
            extents: Array(repeating: 1, count: numArgs))
    }
}
