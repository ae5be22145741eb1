import AnnealCompiler
import AnnealCore
import AnnealGraph

// All of them normalise along the middle of (outer, axis, inner); they differ in how gamma and beta are indexed.

private protocol RowNorm: CPUOperator {
    func rows(_ data: Shape) -> NormalizedRows
    /// Whether mean and deviation are outputs too.
    var showsStatistics: Bool { get }
}

extension RowNorm {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        rows(try site.shape(.input(0))).forward(showsStatistics: showsStatistics)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        rows(try site.shape(.input(0))).backward
    }
}

extension InstanceNorm: RowNorm {
    fileprivate func rows(_ data: Shape) -> NormalizedRows {
        NormalizedRows(
            outer: data[0] * data[1], extent: data.dims.dropFirst(2).reduce(1, *), inner: 1, eps: eps,
            parameters: .ofRow(count: data[1]))
    }

    fileprivate var showsStatistics: Bool { false }
}

extension GroupNorm: RowNorm {
    fileprivate func rows(_ data: Shape) -> NormalizedRows {
        NormalizedRows(
            outer: data[0] * groups, extent: data.dims.dropFirst().reduce(1, *) / groups, inner: 1, eps: eps,
            parameters: .ofRow(count: groups))
    }

    fileprivate var showsStatistics: Bool { outputMeanVar }
}

extension LayerNorm: RowNorm {
    fileprivate func rows(_ data: Shape) -> NormalizedRows {
        let (outer, extent, inner) = extents(of: data, around: axis)
        return NormalizedRows(outer: outer, extent: extent, inner: inner, eps: eps, parameters: .ofPlace(count: extent))
    }

    fileprivate var showsStatistics: Bool { outputMeanVar }
}

private struct NormalizedRows: Sendable {
    enum Parameters: Sendable {
        /// Row (o, i) has the parameter o % count.
        case ofRow(count: Int)
        /// Element k of each row has the parameter k.
        case ofPlace(count: Int)

        var count: Int {
            switch self {
            case .ofRow(let count), .ofPlace(let count): count
            }
        }

        @inline(__always)
        func index(row: Int, place: Int) -> Int {
            switch self {
            case .ofRow(let count): row % count
            case .ofPlace: place
            }
        }
    }

    let outer, extent, inner: Int
    let eps: Float
    let parameters: Parameters

    func forward(showsStatistics: Bool) -> PreparedKernel {
        PreparedKernel { [self] memory in
            let x = memory[.input(0)], gamma = memory[.input(1)], beta = memory[.input(2)], y = memory[.output(0)]
            let means = memory.optional(.saved(0)), inverses = memory.optional(.saved(1))
            let shownMean = memory.optional(.output(1)), shownDeviation = memory.optional(.output(2))
            return {
                for o in 0..<outer {
                    for i in 0..<inner {
                        let first = o * extent * inner + i, row = o * inner + i
                        var sum = 0.0, squares = 0.0
                        for k in 0..<extent { sum += Double(x[first + k * inner]) }
                        let mean = sum / Double(extent)
                        for k in 0..<extent {
                            let difference = Double(x[first + k * inner]) - mean
                            squares += difference * difference
                        }
                        let deviation = Float((squares / Double(extent) + Double(eps)).squareRoot())
                        let inverse = 1 / deviation
                        for k in 0..<extent {
                            let p = parameters.index(row: o, place: k), at = first + k * inner
                            y[at] = (x[at] - Float(mean)) * inverse * gamma[p] + beta[p]
                        }
                        means?[row] = Float(mean)
                        inverses?[row] = inverse
                        if showsStatistics {
                            shownMean?[row] = Float(mean)
                            shownDeviation?[row] = deviation
                        }
                    }
                }
            }
        }
    }

    /// With x̂ = (x - mean) inverse and g = dy gamma: dx = inverse (g - mean(g) - x̂ mean(g x̂)).
    var backward: PreparedKernel {
        PreparedKernel { [self] memory in
            let x = memory[.input(0)], gamma = memory[.input(1)], dy = memory[.outputGradient(0)]
            let means = memory[.saved(0)], inverses = memory[.saved(1)]
            let dx = memory.optional(.gradient(0))
            let dGamma = memory.optional(.gradient(1)), dBeta = memory.optional(.gradient(2))
            return {
                dGamma?.update(repeating: 0, count: parameters.count)
                dBeta?.update(repeating: 0, count: parameters.count)
                for o in 0..<outer {
                    for i in 0..<inner {
                        let first = o * extent * inner + i, mean = means[o * inner + i],
                            inverse = inverses[o * inner + i]
                        var sum = 0.0, product = 0.0
                        for k in 0..<extent {
                            let p = parameters.index(row: o, place: k), at = first + k * inner
                            let normal = (x[at] - mean) * inverse
                            dGamma?[p] += dy[at] * normal
                            dBeta?[p] += dy[at]
                            sum += Double(dy[at] * gamma[p])
                            product += Double(dy[at] * gamma[p] * normal)
                        }
                        guard let dx else { continue }
                        let meanG = Float(sum / Double(extent)), meanProduct = Float(product / Double(extent))
                        for k in 0..<extent {
                            let p = parameters.index(row: o, place: k), at = first + k * inner
                            let normal = (x[at] - mean) * inverse
                            dx[at] = inverse * (dy[at] * gamma[p] - meanG - normal * meanProduct)
                        }
                    }
                }
            }
        }
    }
}

extension L2Normalization: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = axes(try site.shape(.input(0))), eps = eps
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)], norms = memory.optional(.saved(0))
            return {
                for o in 0..<outer {
                    for i in 0..<inner {
                        let first = o * extent * inner + i
                        var sum = Double(eps)
                        for k in 0..<extent { sum += Double(x[first + k * inner]) * Double(x[first + k * inner]) }
                        let norm = Float(sum.squareRoot())
                        for k in 0..<extent { y[first + k * inner] = x[first + k * inner] / norm }
                        norms?[o * inner + i] = norm
                    }
                }
            }
        }
        kernel.inPlace = [(.input(0), .output(0))]
        return kernel
    }

    /// (dy - y Σ y dy) / norm.
    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = axes(try site.shape(.gradient(0)))
        var kernel = PreparedKernel { memory in
            let y = memory[.output(0)], norms = memory[.saved(0)], dy = memory[.outputGradient(0)],
                dx = memory[.gradient(0)]
            return {
                for o in 0..<outer {
                    for i in 0..<inner {
                        let first = o * extent * inner + i
                        var sum = 0.0
                        for k in 0..<extent { sum += Double(y[first + k * inner] * dy[first + k * inner]) }
                        let product = Float(sum), norm = norms[o * inner + i]
                        for k in 0..<extent {
                            let at = first + k * inner
                            dx[at] = (dy[at] - y[at] * product) / norm
                        }
                    }
                }
            }
        }
        kernel.inPlace = [(.outputGradient(0), .gradient(0))]
        return kernel
    }
}
