import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import Foundation

private let seluScale: Float = 1.0507009873554804934193349852946
private let seluAlpha: Float = 1.6732632423543772848170429916717

extension LeakyReLU: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let slope = slope
        switch kind {
        case .leaky: return try leaky(site, slope)
        case .elu:
            return try pointwiseKernel(site, .input(0), to: .output(0)) { x, _, _ in x > 0 ? x : slope * expm1(x) }
        case .selu:
            return try pointwiseKernel(site, .input(0), to: .output(0)) { x, _, _ in
                seluScale * (x > 0 ? x : seluAlpha * expm1(x))
            }
        case .gelu:
            let count = Dims(try site.value(.output(0))).elements
            var kernel = PreparedKernel { memory in
                let x = memory[.input(0)], y = memory[.output(0)]
                return { anneal_gelu(x, y, count) }
            }
            kernel.inPlace = [(.input(0), .output(0))]
            return kernel
        case .prelu: return try ParametricReLU(site, data: .input(0)).forward
        case .rrelu:
            return site.mode == .training ? try randomSlopes(site) : try meanSlope(site)
        }
    }

    /// Random slopes in inference: all have their mean.
    private func meanSlope(_ site: KernelSite) throws -> PreparedKernel {
        let dims = Dims(try site.value(.output(0))).c, slope = (lowerBound + upperBound) / 2
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)], slopes = memory[.output(1)]
            return {
                anneal_leaky(x, slope, y, anneal_elements(dims))
                anneal_fill(slopes, slope, anneal_elements(dims))
                anneal_clear_padding(slopes, dims)
            }
        }
        kernel.inPlace = [(.input(0), .output(0))]
        return kernel
    }

    private func leaky(_ site: KernelSite, _ slope: Float) throws -> PreparedKernel {
        let count = Dims(try site.value(.output(0))).elements
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            return { anneal_leaky(x, slope, y, count) }
        }
        kernel.inPlace = [(.input(0), .output(0))]
        return kernel
    }

    private func randomSlopes(_ site: KernelSite) throws -> PreparedKernel {
        let dims = Dims(try site.value(.output(0))), count = Int(dims.elements)
        let low = lowerBound, range = upperBound - lowerBound, key = RandomKey(site, .dropout)
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)], slopes = memory[.output(1)]
            let clock = memory.clock
            return {
                anneal_random_uniform(key.at(clock), slopes, dims.c)
                for i in 0..<count {
                    slopes[i] = x[i] > 0 ? 1 : low + slopes[i] * range
                    y[i] = x[i] * slopes[i]
                }
                anneal_clear_padding(slopes, dims.c)
            }
        }
        kernel.inPlace = [(.input(0), .output(0))]
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let slope = slope
        switch kind {
        case .leaky:
            let count = Dims(try site.value(.gradient(0))).elements
            var kernel = PreparedKernel { memory in
                let x = memory[.input(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
                return { anneal_leaky_backward(x, dy, slope, dx, count) }
            }
            kernel.inPlace = [(.outputGradient(0), .gradient(0)), (.input(0), .gradient(0))]
            return kernel
        case .elu:
            return try pointwiseKernel(site, .output(0), .outputGradient(0), to: .gradient(0)) { y, dy, _ in
                dy * (y > 0 ? 1 : slope + y)
            }
        case .selu:
            // MXNet uses y in place of y / scale.
            let factor = engine.reproducesMXNetDefects ? seluScale : 1
            return try pointwiseKernel(site, .output(0), .outputGradient(0), to: .gradient(0)) { y, dy, _ in
                dy * (y > 0 ? seluScale : seluScale * seluAlpha + factor * y)
            }
        case .gelu:
            let count = Dims(try site.value(.gradient(0))).elements
            var kernel = PreparedKernel { memory in
                let x = memory[.input(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
                return { anneal_gelu_backward(x, dy, dx, count) }
            }
            kernel.inPlace = [(.outputGradient(0), .gradient(0)), (.input(0), .gradient(0))]
            return kernel
        case .rrelu:
            return try pointwiseKernel(site, .output(1), .outputGradient(0), to: .gradient(0)) { m, dy, _ in dy * m }
        case .prelu:
            // MXNet overwrites the output gradient with the data's gradient where it can, and then reads it.
            let overwritten = try site.has(.gradient(0)) && site.value(.outputGradient(0)).kind == .temporary
            return try ParametricReLU(site, data: .input(0)).backward(
                fromDataGradient: overwritten && engine.reproducesMXNetDefects)
        }
    }
}

/// x where x > 0, else gamma x, with a gamma for each channel or one for all (He et al. 2015).
private struct ParametricReLU {
    private let dims: anneal_dims
    private let shared: Bool

    init(_ site: KernelSite, data: Program.Operand) throws {
        let value = try site.value(data)
        dims = Dims(value).c
        shared = try site.shape(.input(1)).count == 1
    }

    /// Calls body(element, channel) for all elements except the padding.
    private func forEach(_ body: (Int, Int) -> Void) {
        let blocks = Int((dims.c + dims.b - 1) / dims.b), b = Int(dims.b), s = Int(dims.s), c = Int(dims.c)
        for i in 0..<Int(dims.n) {
            for block in 0..<blocks {
                let first = (i * blocks + block) * s * b
                for k in 0..<s {
                    for lane in 0..<min(b, c - block * b) {
                        body(first + k * b + lane, shared ? 0 : block * b + lane)
                    }
                }
            }
        }
    }

    var forward: PreparedKernel {
        let dims = dims
        return PreparedKernel { memory in
            let x = memory[.input(0)], gamma = memory[.input(1)], y = memory[.output(0)]
            return {
                forEach { i, j in y[i] = x[i] > 0 ? x[i] : x[i] * gamma[j] }
                anneal_clear_padding(y, dims)
            }
        }
    }

    func backward(fromDataGradient: Bool) -> PreparedKernel {
        let dims = dims, gammas = shared ? 1 : Int(dims.c)
        return PreparedKernel { memory in
            let x = memory[.input(0)], gamma = memory[.input(1)], dy = memory[.outputGradient(0)]
            let dx = memory.optional(.gradient(0)), dGamma = memory.optional(.gradient(1))
            return {
                if let dx {
                    forEach { i, j in dx[i] = x[i] > 0 ? dy[i] : dy[i] * gamma[j] }
                    anneal_clear_padding(dx, dims)
                }
                if let dGamma {
                    dGamma.update(repeating: 0, count: gammas)
                    let head = fromDataGradient ? dx ?? dy : dy
                    forEach { i, j in if x[i] <= 0 { dGamma[j] += head[i] * x[i] } }
                }
            }
        }
    }
}
