import AnnealCompiler
import AnnealCore
import AnnealGraph

extension Ordering: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.input(0)), count = data.count
        let (outer, extent, inner) = axes(data), ascending = ascending, returned = returned
        let taken = k > 0 ? k : extent
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            let places = memory.optional(.saved(0)) ?? memory.optional(.output(1))
            guard let scratch = memory.scratch else { return {} }
            let memory = UnsafeMutableBufferPointer(
                start: UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Int32.self), count: extent)
            return {
                var order = memory
                if returned == .mask { y.update(repeating: 0, count: count) }
                for o in 0..<outer {
                    for i in 0..<inner {
                        let row = x + (o * extent * inner + i)
                        for j in 0..<extent { order[j] = Int32(truncatingIfNeeded: j) }
                        // Equal values stay in order: the index decides.
                        order.sort { a, b in
                            let left = row[Int(a) * inner], right = row[Int(b) * inner]
                            return left == right ? a < b : ascending ? left < right : left > right
                        }
                        for j in 0..<taken {
                            let from = Int(order[j]), to = (o * taken + j) * inner + i
                            switch returned {
                            case .mask: y[(o * extent + from) * inner + i] = 1
                            case .indices: y[to] = Float(from)
                            case .value, .both:
                                y[to] = row[from * inner]
                                places?[to] = Float(from)
                            }
                        }
                    }
                }
            }
        }
        kernel.scratch = extent
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.gradient(0)), count = data.count
        let (outer, extent, inner) = axes(data), taken = k > 0 ? k : extent
        let role: Program.Operand = returned == .both ? .output(1) : .saved(0)
        return PreparedKernel { memory in
            let places = memory[role], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
            return {
                dx.update(repeating: 0, count: count)
                for o in 0..<outer {
                    for j in 0..<taken {
                        for i in 0..<inner {
                            let from = (o * taken + j) * inner + i
                            dx[(o * extent + Int(places[from])) * inner + i] = dy[from]
                        }
                    }
                }
            }
        }
    }
}
