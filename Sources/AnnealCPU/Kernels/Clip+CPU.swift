import AnnealCompiler
import AnnealGraph
import CAnnealKernels

extension Clip: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try clipKernel(site, from: minimum, to: maximum)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try clipBackwardKernel(site, from: minimum, to: maximum)
    }
}

func clipKernel(_ site: KernelSite, from low: Float, to high: Float) throws -> PreparedKernel {
    let dims = Dims(try site.value(.output(0))).c
    var kernel = PreparedKernel { memory in
        let x = memory[.input(0)], y = memory[.output(0)]
        return { anneal_clip(x, low, high, y, dims) }
    }
    kernel.inPlace = [(.input(0), .output(0))]
    return kernel
}

func clipBackwardKernel(_ site: KernelSite, from low: Float, to high: Float) throws -> PreparedKernel {
    let count = Dims(try site.value(.gradient(0))).elements
    var kernel = PreparedKernel { memory in
        let x = memory[.input(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
        return { anneal_clip_backward(x, dy, low, high, dx, count) }
    }
    kernel.inPlace = [(.outputGradient(0), .gradient(0)), (.input(0), .gradient(0))]
    return kernel
}
