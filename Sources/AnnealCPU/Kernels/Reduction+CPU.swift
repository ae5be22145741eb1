import AnnealCompiler
import AnnealCore
import AnnealGraph
import Foundation

extension Reduction: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.input(0)), kept = try axes.kept(data)
        let walk = Walk(data, broadcasting: kept), count = kept.count, member = member
        let share = Double(data.count / kept.count)
        if member == .max || member == .min {
            let first: Float = member == .max ? -.infinity : .infinity
            return PreparedKernel { memory in
                let x = memory[.input(0)], y = memory[.output(0)]
                return {
                    y.update(repeating: first, count: count)
                    if member == .max {
                        walk.forEach { i, j, _ in y[j] = x[i] > y[j] || x[i].isNaN ? x[i] : y[j] }
                    } else {
                        walk.forEach { i, j, _ in y[j] = x[i] < y[j] || x[i].isNaN ? x[i] : y[j] }
                    }
                }
            }
        }
        return summingKernel(.output(0), count: count) { memory in
            let x = memory[.input(0)]
            return { results in
                switch member {
                case .sum: walk.forEach { i, j, _ in results[j] += Double(x[i]) }
                case .nansum: walk.forEach { i, j, _ in if !x[i].isNaN { results[j] += Double(x[i]) } }
                case .mean:
                    walk.forEach { i, j, _ in results[j] += Double(x[i]) }
                    for j in 0..<count { results[j] /= share }
                default:
                    results.update(repeating: 1, count: count)
                    let skips = member == .nanprod
                    walk.forEach { i, j, _ in if !(skips && x[i].isNaN) { results[j] *= Double(x[i]) } }
                }
            }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.gradient(0)), kept = try axes.kept(data)
        let walk = Walk(data, broadcasting: kept), member = member
        let scale = member == .mean ? Float(kept.count) / Float(data.count) : 1
        return PreparedKernel { memory in
            let dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
            guard let x = memory.optional(.input(0)) else {
                return { walk.forEach { i, j, _ in dx[i] = dy[j] * scale } }
            }
            guard let y = memory.optional(.output(0)) else {
                return { walk.forEach { i, j, _ in dx[i] = x[i].isNaN ? 0 : dy[j] } }
            }
            switch member {
            case .prod: return { walk.forEach { i, j, _ in dx[i] = dy[j] * (y[j] / x[i]) } }
            case .nanprod: return { walk.forEach { i, j, _ in dx[i] = x[i].isNaN ? 0 : dy[j] * (y[j] / x[i]) } }
            default: return { walk.forEach { i, j, _ in dx[i] = x[i] == y[j] ? dy[j] : 0 } }
            }
        }
    }
}

extension Norm: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.input(0)), kept = try axes.kept(data)
        let walk = Walk(data, broadcasting: kept), count = kept.count, order = order
        return summingKernel(.output(0), count: count) { memory in
            let x = memory[.input(0)]
            return { sums in
                if order == 1 {
                    walk.forEach { i, j, _ in sums[j] += Double(abs(x[i])) }
                } else {
                    walk.forEach { i, j, _ in sums[j] += Double(x[i]) * Double(x[i]) }
                    for j in 0..<count { sums[j] = sums[j].squareRoot() }
                }
            }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.gradient(0))
        let walk = Walk(data, broadcasting: try axes.kept(data))
        return PreparedKernel { memory in
            let x = memory[.input(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
            guard let y = memory.optional(.output(0)) else {
                return { walk.forEach { i, j, _ in dx[i] = x[i] > 0 ? dy[j] : x[i] < 0 ? -dy[j] : 0 } }
            }
            return { walk.forEach { i, j, _ in dx[i] = dy[j] * (x[i] / y[j]) } }
        }
    }
}

extension ArgExtremum: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.input(0)), smallest = member == .argmin
        let (outer, extent, inner) = axis.map { extents(of: data, around: $0) } ?? (1, data.count, 1)
        return PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            return {
                for o in 0..<outer {
                    for i in 0..<inner {
                        let row = x + (o * extent * inner + i)
                        var best = 0
                        for k in 1..<max(extent, 1) {
                            let value = row[k * inner], winner = row[best * inner]
                            if smallest ? value < winner : value > winner { best = k }
                        }
                        y[o * inner + i] = Float(best)
                    }
                }
            }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try zeroKernel(site, .gradient(0))
    }
}
