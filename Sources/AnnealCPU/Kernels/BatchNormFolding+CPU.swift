import AnnealCompiler
import AnnealCore
import AnnealGraph

extension BatchNormFolding: InferenceOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let weight = try site.value(.input(0)), channels = try site.shape(.input(1)).count
        let from = weight.layout, to = try site.layout(.output(0))
        let rows = Rows(weight.shape, channelAxis: channelAxis, groups: groups)
        let eps = norm.eps, fixGamma = norm.fixGamma, count = weight.shape.count
        var kernel = PreparedKernel.checked({ memory in
            let w = memory[.input(0)], gamma = memory[.input(1)], beta = memory[.input(2)]
            let mean = memory[.input(3)], variance = memory[.input(4)], bias = memory.optional(.input(5))
            let folded = memory[.output(0)], foldedBias = memory[.output(1)]
            guard let plain = memory.scratch else { return { 0 } }
            let factors = plain + count
            return {
                // MXNet overwrites a fixed gamma with 1, in inference too.
                if fixGamma { gamma.update(repeating: 1, count: channels) }
                for c in 0..<channels {
                    factors[c] = gamma[c] / (variance[c] + eps).squareRoot()
                    foldedBias[c] = ((bias?[c] ?? 0) - mean[c]) * factors[c] + beta[c]
                }
                do {
                    if case .opaque(let layout) = from { try layout.weights().unpack(w, into: plain) }
                    let source: UnsafeMutablePointer<Float> = if case .opaque = from { plain } else { w }
                    guard case .opaque(let layout) = to else {
                        rows.scale(source, by: factors, into: folded)
                        return 0
                    }
                    rows.scale(source, by: factors, into: plain)
                    try layout.weights().pack(plain, into: folded)
                    return 0
                } catch {
                    return -1
                }
            }
        })
        kernel.scratch = count + channels
        return kernel
    }
}

/// The rows of a plain weight; each belongs to one channel of the layer's output.
private struct Rows {
    let count: Int
    let width: Int
    /// Rows per group, and channels per group.
    let groupRows: Int
    let groupChannels: Int
    /// Whether the channels are contiguous within each input channel, as in deconvolution.
    let inner: Bool

    init(_ weight: Shape, channelAxis: Int, groups: Int) {
        count = weight.dims[...channelAxis].reduce(1, *)
        width = weight.dims[(channelAxis + 1)...].reduce(1, *)
        groupRows = count / groups
        groupChannels = weight[channelAxis]
        inner = channelAxis == 1
    }

    private func channel(_ row: Int) -> Int {
        inner ? row / groupRows * groupChannels + row % groupChannels : row
    }

    func scale(
        _ source: UnsafePointer<Float>, by factors: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
    ) {
        nonisolated(unsafe) let source = source
        nonisolated(unsafe) let factors = factors
        nonisolated(unsafe) let target = target
        Parallel.run { part, parts in
            for row in Parallel.slice(count, part: part, parts: parts, grain: 1) {
                let factor = factors[channel(row)], start = row * width
                for i in start..<(start + width) { target[i] = source[i] * factor }
            }
        }
    }
}
