import AnnealCompiler
import AnnealGraph
import CAnnealKernels

extension Activation: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }
    package func accumulates(part: Int) -> Bool { true }

    private var code: anneal_activation {
        switch kind {
        case .relu: ANNEAL_RELU
        case .sigmoid: ANNEAL_SIGMOID
        case .tanh: ANNEAL_TANH
        case .softrelu: ANNEAL_SOFTRELU
        case .softsign: ANNEAL_SOFTSIGN
        }
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try activationKernel(site, code)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try activationGradientKernel(site, code)
    }
}

func activationKernel(_ site: KernelSite, _ kind: anneal_activation) throws -> PreparedKernel {
    let dims = Dims(try site.value(.output(0))).c
    var kernel = PreparedKernel { memory in
        let x = memory[.input(0)], y = memory[.output(0)]
        return { anneal_activation_forward(kind, x, y, dims) }
    }
    kernel.inPlace = [(.input(0), .output(0))]
    return kernel
}

/// The gradient of an activation from its output, added to an earlier one if there is one.
func activationGradientKernel(_ site: KernelSite, _ kind: anneal_activation) throws -> PreparedKernel {
    let dims = Dims(try site.value(.output(0))).c
    var kernel = PreparedKernel { memory in
        let y = memory[.output(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
        let earlier = memory.optional(.accumulated)
        return { anneal_activation_backward(kind, y, dy, earlier, dx, dims) }
    }
    kernel.inPlace = [(.accumulated, .gradient(0)), (.outputGradient(0), .gradient(0))]
    return kernel
}
