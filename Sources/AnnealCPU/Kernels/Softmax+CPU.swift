import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import Foundation

extension Softmax: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = extents(of: try site.shape(.input(0)), around: axis)
        if member == .softmax && !useLength && temperature == 1 {
            return softmaxKernel(outer: outer, axis: extent, inner: inner)
        }
        let factor = (member == .softmin ? -1 : 1) / temperature, logarithm = member == .logSoftmax
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], length = memory.optional(.input(1)), y = memory[.output(0)]
            return {
                for o in 0..<outer {
                    for i in 0..<inner {
                        let used = length.map { limited($0[o * inner + i], extent) } ?? extent
                        let from = x + (o * extent * inner + i), to = y + (o * extent * inner + i)
                        var top = -Float.infinity, sum = 0.0
                        for k in 0..<used { top = max(top, from[k * inner] * factor) }
                        for k in 0..<used { sum += Double(exp(from[k * inner] * factor - top)) }
                        let log = Float(Foundation.log(sum)), scale = Float(1 / sum)
                        for k in 0..<used {
                            let difference = from[k * inner] * factor - top
                            to[k * inner] = logarithm ? difference - log : exp(difference) * scale
                        }
                        for k in used..<extent { to[k * inner] = 0 }
                    }
                }
            }
        }
        kernel.inPlace = [(.input(0), .output(0))]
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = extents(of: try site.shape(.gradient(0)), around: axis)
        return softmaxGradient(
            outer, extent, inner, factor: (member == .softmin ? -1 : 1) / temperature, logarithm: member == .logSoftmax)
    }
}

extension SoftmaxActivation: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = axes(try site.shape(.input(0)))
        return softmaxKernel(outer: outer, axis: extent, inner: inner)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        // MXNet's gradient runs along the channels in both modes.
        let data = try site.shape(.gradient(0)), channels = engine.reproducesMXNetDefects && data.rank > 1
        let (outer, extent, inner) = channels ? extents(of: data, around: 1) : axes(data)
        return softmaxGradient(outer, extent, inner, factor: 1, logarithm: false)
    }
}

private func softmaxKernel(outer: Int, axis: Int, inner: Int) -> PreparedKernel {
    var kernel = PreparedKernel { memory in
        let x = memory[.input(0)], y = memory[.output(0)]
        return { anneal_softmax(x, y, Int64(outer), Int64(axis), Int64(inner)) }
    }
    kernel.inPlace = [(.input(0), .output(0))]
    return kernel
}

/// For y = softmax(factor x): factor y (dy - Σ y dy); for its logarithm: factor (dy - e^y Σ dy).
private func softmaxGradient(_ outer: Int, _ extent: Int, _ inner: Int, factor: Float, logarithm: Bool)
    -> PreparedKernel
{
    var kernel = PreparedKernel { memory in
        let y = memory[.output(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
        let length = memory.optional(.input(1))
        return {
            for o in 0..<outer {
                for i in 0..<inner {
                    let used = length.map { limited($0[o * inner + i], extent) } ?? extent
                    let first = o * extent * inner + i
                    var sum = 0.0
                    for k in 0..<used {
                        let at = first + k * inner
                        sum += Double(logarithm ? dy[at] : dy[at] * y[at])
                    }
                    let total = Float(sum)
                    for k in 0..<used {
                        let at = first + k * inner
                        dx[at] = factor * (logarithm ? dy[at] - exp(y[at]) * total : y[at] * (dy[at] - total))
                    }
                    for k in used..<extent { dx[first + k * inner] = 0 }
                }
            }
        }
    }
    kernel.inPlace = [(.outputGradient(0), .gradient(0))]
    return kernel
}

/// A number of elements stored in an array, clamped to 0 … limit.
private func limited(_ value: Float, _ limit: Int) -> Int {
    value >= Float(limit) ? limit : value > 0 ? Int(value) : 0
}

extension SoftmaxCrossEntropy: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let shape = try site.shape(.input(0)), rows = shape[0], classes = shape[1]
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], label = memory[.input(1)], y = memory[.output(0)]
            guard let p = memory.scratch else { return {} }
            return {
                anneal_softmax(x, p, Int64(rows), Int64(classes), 1)
                var sum = 0.0
                for row in 0..<rows {
                    let k = indexInside(label[row], classes)
                    sum -= log(Double(max(p[row * classes + k], 1e-8)))
                }
                y[0] = Float(sum)
            }
        }
        kernel.scratch = shape.count
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let shape = try site.shape(.input(0)), rows = shape[0], classes = shape[1]
        return PreparedKernel { memory in
            let x = memory[.input(0)], label = memory[.input(1)], dy = memory[.outputGradient(0)],
                dx = memory[.gradient(0)]
            return {
                let scale = dy[0]
                anneal_softmax(x, dx, Int64(rows), Int64(classes), 1)
                for row in 0..<rows {
                    let k = indexInside(label[row], classes)
                    dx[row * classes + k] -= 1
                    for i in 0..<classes { dx[row * classes + i] *= scale }
                }
            }
        }
    }
}

/// A number as an index, clamped to 0 ..< count.
func indexInside(_ value: Float, _ count: Int) -> Int {
    value >= Float(count - 1) ? count - 1 : value > 0 ? Int(value) : 0
}
