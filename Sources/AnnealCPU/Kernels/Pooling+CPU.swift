import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension Pooling: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }
    package func accumulates(part: Int) -> Bool { true }

    private func descriptor(_ data: Shape, _ output: Shape, block: Int) throws -> anneal_pooling {
        let window = try window(data)
        // Missing leading axes have extent 1.
        func three(_ values: [Int], _ fill: Int) -> (Int64, Int64, Int64) {
            let all = Array(repeating: fill, count: 3 - values.count) + values
            return (Int64(all[0]), Int64(all[1]), Int64(all[2]))
        }
        let code: anneal_pooling_kind =
            switch kind {
            case .max: ANNEAL_POOLING_MAX
            case .avg: ANNEAL_POOLING_AVG
            case .sum: ANNEAL_POOLING_SUM
            case .lp: ANNEAL_POOLING_LP
            }
        return anneal_pooling(
            kind: code, n: Int64(data[0]), c: Int64(data[1]), b: Int64(block),
            in: three(Array(data.dims.dropFirst(2)), 1), out: three(Array(output.dims.dropFirst(2)), 1),
            kernel: three(window.kernel, 1), stride: three(window.stride, 1), pad: three(window.pad, 0),
            count_include_pad: countIncludePad ? 1 : 0, lp: Int32(power), first_version: isFirstVersion ? 1 : 0)
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let value = try site.value(.input(0))
        let pool = try descriptor(value.shape, try site.shape(.output(0)), block: value.layout.block)
        return PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            let winners = memory.optional(.saved(0)).map {
                UnsafeMutableRawPointer($0).assumingMemoryBound(to: Int32.self)
            }
            return { withUnsafePointer(to: pool) { anneal_pooling_forward($0, x, y, winners) } }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let value = try site.value(.gradient(0))
        let pool = try descriptor(value.shape, try site.shape(.outputGradient(0)), block: value.layout.block)
        var kernel = PreparedKernel { memory in
            let x = memory.optional(.input(0)), y = memory.optional(.output(0)), dy = memory[.outputGradient(0)]
            let dx = memory[.gradient(0)], earlier = memory.optional(.accumulated)
            let winners = memory.optional(.saved(0)).map { UnsafeRawPointer($0).assumingMemoryBound(to: Int32.self) }
            return { withUnsafePointer(to: pool) { anneal_pooling_backward($0, x, y, winners, dy, earlier, dx) } }
        }
        kernel.inPlace = [(.accumulated, .gradient(0))]
        return kernel
    }
}
