import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension ElementwiseAdd: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try additionKernel(site, relu: false)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        preconditionFailure("the output gradient of an addition is passed on")
    }
}

extension AddReLU: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }
    package func accumulates(part: Int) -> Bool { false }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try additionKernel(site, relu: true)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try activationGradientKernel(site, ANNEAL_RELU)
    }
}

private func additionKernel(_ site: KernelSite, relu: Bool) throws -> PreparedKernel {
    let count = Dims(try site.value(.output(0))).elements
    var kernel = PreparedKernel { memory in
        let a = memory[.input(0)], b = memory[.input(1)], y = memory[.output(0)]
        return { anneal_add(a, b, y, relu ? 1 : 0, count) }
    }
    kernel.inPlace = [(.input(0), .output(0)), (.input(1), .output(0))]
    return kernel
}

extension Relayout: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try relayoutKernel(site, from: .input(0), to: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try relayoutKernel(site, from: .outputGradient(0), to: .gradient(0))
    }
}

private func relayoutKernel(_ site: KernelSite, from: Program.Operand, to: Program.Operand) throws -> PreparedKernel {
    let first = try site.value(from), second = try site.value(to)
    if let kernel = try opaqueKernel(first, second, from: from, to: to) { return kernel }
    let source = Dims(first).c, target = Dims(second).c
    var kernel = PreparedKernel { memory in
        let x = memory[from], y = memory[to]
        return { anneal_relayout(x, source.b, y, target.b, source.n, source.c, source.s) }
    }
    kernel.reorders = 1
    return kernel
}

/// Weights that are not parameters, but fed or computed, are reordered to their convolution's layout in each run.
private func opaqueKernel(
    _ source: Program.Value, _ target: Program.Value, from: Program.Operand, to: Program.Operand
) throws -> PreparedKernel? {
    let unpacked: (any PackedWeights)?, packed: (any PackedWeights)?
    switch (source.layout, target.layout) {
    case (.opaque(let a), .opaque(let b)): (unpacked, packed) = (try a.weights(), try b.weights())
    case (.opaque(let a), .plain): (unpacked, packed) = (try a.weights(), nil)
    case (.plain, .opaque(let b)): (unpacked, packed) = (nil, try b.weights())
    case (.opaque, .blocked), (.blocked, .opaque):
        throw AnnealError(
            "", "weights with blocked channels cannot be reordered to a convolution's layout", code: .internalDefect)
    default: return nil
    }
    var kernel = PreparedKernel.checked({ memory in
        let x = memory[from], y = memory[to]
        guard let plain = unpacked != nil && packed != nil ? memory.scratch : unpacked != nil ? y : x else {
            return { 0 }
        }
        return {
            do {
                try unpacked?.unpack(x, into: plain)
                try packed?.pack(plain, into: y)
                return 0
            } catch {
                return -1
            }
        }
    })
    if unpacked != nil && packed != nil { kernel.scratch = source.shape.count }
    kernel.reorders = 1
    kernel.implementation = "weights' layout"
    return kernel
}
