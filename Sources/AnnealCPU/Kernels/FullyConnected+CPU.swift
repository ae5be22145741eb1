import AnnealCompiler
import AnnealCore
import AnnealGraph

extension FullyConnected: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.plain }

    /// Rows, inputs and outputs of the product.
    private func extents(_ site: KernelSite) throws -> (rows: Int, width: Int) {
        let width = try site.shape(.input(1))[1]
        return (try site.shape(.input(0)).count / width, width)
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let (rows, width) = try extents(site)
        let hidden = numHidden, product = SplitProduct(m: rows, n: hidden, k: width, transposeB: true)
        var kernel = PreparedKernel.checked({ memory in
            let x = memory[.input(0)], w = memory[.input(1)], bias = memory.optional(.input(2)), y = memory[.output(0)]
            return {
                // The bias goes in first and the product is added to it.
                if let bias { for row in 0..<rows { (y + row * hidden).update(from: bias, count: hidden) } }
                return product.run(x, w, beta: bias == nil ? 0 : 1, to: y)
            }
        })
        kernel.flops = product.flops
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let hidden = numHidden
        if part == 1 {
            let width = try site.shape(.input(1))[1], rows = try site.shape(.outputGradient(0)).count / hidden
            return SplitProduct(m: rows, n: width, k: hidden).kernel(.outputGradient(0), .input(1), to: .gradient(0))
        }
        let rows = try site.shape(.outputGradient(0)).count / hidden
        let width = try site.shape(.input(0)).count / rows
        let product = SplitProduct(m: hidden, n: width, k: rows, transposeA: true)
        var kernel = PreparedKernel.checked({ memory in
            let x = memory[.input(0)], dy = memory[.outputGradient(0)]
            let dw = memory.optional(.gradient(1)), dBias = memory.optional(.gradient(2))
            return {
                if let dBias {
                    dBias.update(from: dy, count: hidden)
                    for row in 1..<max(rows, 1) { for i in 0..<hidden { dBias[i] += dy[row * hidden + i] } }
                }
                guard let dw else { return 0 }
                return product.run(dy, x, to: dw)
            }
        })
        kernel.flops = product.flops
        return kernel
    }
}
