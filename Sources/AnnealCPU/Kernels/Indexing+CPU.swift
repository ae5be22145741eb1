import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension IndexMode {
    /// A number as an index, 0 ..< count.
    func index(_ value: Float, _ count: Int) -> Int {
        guard self == .wrap, abs(value) < 1e9 else { return indexInside(value, count) }
        let rest = Int(value) % count
        return rest < 0 ? rest + count : rest
    }
}

extension Take: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = extents(of: try site.shape(.input(0)), around: axis)
        return gatherKernel(
            outer, extent, inner, mode, indices: try site.shape(.input(1)).count, table: .input(0), at: .input(1))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = extents(of: try site.shape(.gradient(0)), around: axis)
        return scatterKernel(
            outer, extent, inner, mode, indices: try site.shape(.input(1)).count, to: .gradient(0), at: .input(1))
    }
}

extension Embedding: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        gatherKernel(
            1, inputDim, outputDim, .clip, indices: try site.shape(.input(0)).count, table: .input(1), at: .input(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        scatterKernel(
            1, inputDim, outputDim, .clip, indices: try site.shape(.input(0)).count, to: .gradient(1), at: .input(0))
    }
}

/// y (outer, indices, inner) = the slices of a table (outer, extent, inner) at the indices.
private func gatherKernel(
    _ outer: Int, _ extent: Int, _ inner: Int, _ mode: IndexMode, indices: Int, table: Program.Operand,
    at: Program.Operand
) -> PreparedKernel {
    PreparedKernel { memory in
        let x = memory[table], index = memory[at], y = memory[.output(0)]
        return {
            for o in 0..<outer {
                for i in 0..<indices {
                    let from = x + (o * extent + mode.index(index[i], extent)) * inner
                    (y + (o * indices + i) * inner).update(from: from, count: inner)
                }
            }
        }
    }
}

private func scatterKernel(
    _ outer: Int, _ extent: Int, _ inner: Int, _ mode: IndexMode, indices: Int, to target: Program.Operand,
    at: Program.Operand
) -> PreparedKernel {
    PreparedKernel { memory in
        let index = memory[at], dy = memory[.outputGradient(0)], dx = memory[target]
        return {
            dx.update(repeating: 0, count: outer * extent * inner)
            for o in 0..<outer {
                for i in 0..<indices {
                    let to = dx + (o * extent + mode.index(index[i], extent)) * inner
                    let from = dy + (o * indices + i) * inner
                    for k in 0..<inner { to[k] += from[k] }
                }
            }
        }
    }
}

extension OneHot: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let count = try site.shape(.input(0)).count, depth = depth, on = onValue, off = offValue
        return PreparedKernel { memory in
            let index = memory[.input(0)], y = memory[.output(0)]
            return {
                y.update(repeating: off, count: count * depth)
                for i in 0..<count where index[i] > -1 && index[i] < Float(depth) { y[i * depth + Int(index[i])] = on }
            }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try zeroKernel(site, .gradient(0))
    }
}

extension Pick: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = axes(try site.shape(.input(0))), mode = mode
        return PreparedKernel { memory in
            let x = memory[.input(0)], index = memory[.input(1)], y = memory[.output(0)]
            return {
                for o in 0..<outer {
                    for i in 0..<inner {
                        let k = mode.index(index[o * inner + i], extent)
                        y[o * inner + i] = x[(o * extent + k) * inner + i]
                    }
                }
            }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, extent, inner) = axes(try site.shape(.gradient(0))), mode = mode
        return PreparedKernel { memory in
            let index = memory[.input(1)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
            return {
                dx.update(repeating: 0, count: outer * extent * inner)
                for o in 0..<outer {
                    for i in 0..<inner {
                        let k = mode.index(index[o * inner + i], extent)
                        dx[(o * extent + k) * inner + i] = dy[o * inner + i]
                    }
                }
            }
        }
    }
}

extension Where: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let shape = try site.shape(.output(0)), count = shape.count
        let run = count / (try site.shape(.input(0)).count)
        return PreparedKernel { memory in
            let condition = memory[.input(0)], a = memory[.input(1)], b = memory[.input(2)], y = memory[.output(0)]
            return { for i in 0..<count { y[i] = condition[i / run] != 0 ? a[i] : b[i] } }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let count = try site.shape(.outputGradient(0)).count, run = count / (try site.shape(.input(0)).count),
            first = part == 0
        return PreparedKernel { memory in
            let condition = memory[.input(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(part + 1)]
            return { for i in 0..<count { dx[i] = (condition[i / run] != 0) == first ? dy[i] : 0 } }
        }
    }
}
