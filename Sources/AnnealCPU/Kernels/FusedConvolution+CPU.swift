import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension FusedConvolution: InferenceOperator {
    private var post: anneal_post {
        anneal_post(
            sum: adds ? 1 : 0, clip: limits == nil ? 0 : 1, low: limits?.lowerBound ?? 0, high: limits?.upperBound ?? 0)
    }

    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        var result = try convolution.layouts(request, post: post)
        if adds { result.inputs[result.inputs.count - 1] = result.outputs[0] }
        return result
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        var kernel = try convolution.kernel(
            site, engine, ANNEAL_FORWARD, data: .input(0), weight: .input(1), bias: .input(2),
            output: .output(0), post: post)
        guard adds else { return kernel }
        kernel.inPlace = [(.input(3), .output(0))]
        let count = Dims(try site.value(.output(0))).elements, product = kernel.bind
        kernel.bind = { memory in
            let addend = memory[.input(3)], y = memory[.output(0)]
            let run = try product(memory)
            // The convolution adds to existing values: usually the addend itself.
            if addend == y { return run }
            return {
                anneal_copy(addend, y, count)
                return run()
            }
        }
        return kernel
    }
}
