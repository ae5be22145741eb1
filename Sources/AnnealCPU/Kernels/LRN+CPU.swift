import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension LRN: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    private func descriptor(_ data: Shape) throws -> anneal_lrn {
        guard min(nsize / 2, data[1]) <= ANNEAL_LRN_REACH else {
            throw AnnealError(
                "", "nsize \(nsize) is too large", suggestion: "it must be less than \(2 * ANNEAL_LRN_REACH + 2)",
                code: .unsupported)
        }
        return anneal_lrn(alpha: alpha, beta: beta, knorm: knorm, nsize: Int64(nsize))
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let value = try site.value(.output(0))
        let dims = Dims(value).c, lrn = try descriptor(value.shape)
        return PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)], norm = memory.optional(.saved(0))
            return { withUnsafePointer(to: lrn) { anneal_lrn_forward($0, x, norm, y, dims) } }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let value = try site.value(.gradient(0))
        let dims = Dims(value).c, lrn = try descriptor(value.shape)
        return PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)], norm = memory[.saved(0)]
            let dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
            return { withUnsafePointer(to: lrn) { anneal_lrn_backward($0, x, y, norm, dy, dx, dims) } }
        }
    }
}
