import AnnealCompiler
import AnnealCore
import AnnealGraph

// Operators that copy strided elements of their input need no kernels of their own.

extension CPUOperator where Self: StridedOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let walk = try walk(data: site.shape(.input(0)), output: site.shape(.output(0)))
        return PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            return { walk.forEach { i, j, _ in y[i] = x[j] } }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.gradient(0)), output = try site.shape(.outputGradient(0))
        let walk = try walk(data: data, output: output), count = data.count
        if output.count > count {
            return summingKernel(.gradient(0), count: count) { memory in
                let dy = memory[.outputGradient(0)]
                return { sums in walk.forEach { i, j, _ in sums[j] += Double(dy[i]) } }
            }
        }
        return PreparedKernel { memory in
            let dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
            return {
                dx.update(repeating: 0, count: count)
                walk.forEach { i, j, _ in dx[j] += dy[i] }
            }
        }
    }

    private func walk(data: Shape, output: Shape) throws -> Walk {
        let view = try view(of: data, output: output)
        return Walk(Shape(view.extents), strides: view.strides, offset: view.offset)
    }
}

extension BroadcastAxis: CPUOperator {}
extension BroadcastLike: CPUOperator {}
extension BroadcastTo: CPUOperator {}
extension Crop: CPUOperator {}
extension DepthSpace: CPUOperator {}
extension Repeat: CPUOperator {}
extension Reverse: CPUOperator {}
extension Slice: CPUOperator {}
extension SliceAxis: CPUOperator {}
extension SliceLike: CPUOperator {}
extension SwapAxis: CPUOperator {}
extension Tile: CPUOperator {}
extension Transpose: CPUOperator {}
