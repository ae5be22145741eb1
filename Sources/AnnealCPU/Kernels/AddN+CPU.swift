import AnnealCompiler
import AnnealGraph
import CAnnealKernels

extension AddN: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        guard numArgs > 1 else { return try copyKernel(site, from: .input(0), to: .output(0)) }
        let count = Dims(try site.value(.output(0))).elements, numArgs = numArgs
        var kernel = PreparedKernel { memory in
            let inputs = (0..<numArgs).map { memory[.input($0)] }, y = memory[.output(0)]
            return {
                anneal_add(inputs[0], inputs[1], y, 0, count)
                for input in inputs.dropFirst(2) { anneal_add(y, input, y, 0, count) }
            }
        }
        kernel.inPlace = [(.input(0), .output(0)), (.input(1), .output(0))]
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        preconditionFailure("the output gradient of an addition is passed on")
    }
}
