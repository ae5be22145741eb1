import AnnealCompiler
import AnnealCore
import AnnealGraph

extension Dot: CPUOperator {
    private func product(_ site: KernelSite) throws -> MatrixProduct {
        let lhs = try site.inputShape(0), rhs = try site.inputShape(1)
        let depth = transposeA ? lhs[0] : lhs[-1]
        return MatrixProduct(
            batch: 1, m: lhs.count / depth, n: rhs.count / depth, k: depth, transposeA: transposeA,
            transposeB: transposeB)
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel { try product(site).forward }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try part == 0 ? product(site).backwardA : product(site).backwardB
    }
}

extension BatchDot: CPUOperator {
    private func product(_ site: KernelSite) throws -> MatrixProduct {
        let lhs = try site.inputShape(0), rhs = try site.inputShape(1)
        return MatrixProduct(
            batch: lhs.dims.dropLast(2).reduce(1, *), m: transposeA ? lhs[-1] : lhs[-2],
            n: transposeB ? rhs[-2] : rhs[-1], k: transposeA ? lhs[-2] : lhs[-1], transposeA: transposeA,
            transposeB: transposeB)
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel { try product(site).forward }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try part == 0 ? product(site).backwardA : product(site).backwardB
    }
}

/// Products y (m, n) of a (m, k) and b (k, n), each stored so or transposed, one behind the other.
private struct MatrixProduct {
    let batch, m, n, k: Int
    let transposeA, transposeB: Bool

    var forward: PreparedKernel {
        kernel(
            .input(0), .input(1), to: .output(0),
            SplitProduct(batch: batch, m: m, n: n, k: k, transposeA: transposeA, transposeB: transposeB))
    }

    /// dA = dY Bᵀ, or its transpose B dYᵀ.
    var backwardA: PreparedKernel {
        transposeA
            ? kernel(
                .input(1), .head(0), to: .gradient(0),
                SplitProduct(batch: batch, m: k, n: m, k: n, transposeA: transposeB, transposeB: true))
            : kernel(
                .head(0), .input(1), to: .gradient(0),
                SplitProduct(batch: batch, m: m, n: k, k: n, transposeB: !transposeB))
    }

    /// dB = Aᵀ dY, or its transpose dYᵀ A.
    var backwardB: PreparedKernel {
        transposeB
            ? kernel(
                .head(0), .input(0), to: .gradient(1),
                SplitProduct(batch: batch, m: n, n: k, k: m, transposeA: true, transposeB: transposeA))
            : kernel(
                .input(0), .head(0), to: .gradient(1),
                SplitProduct(batch: batch, m: k, n: n, k: m, transposeA: !transposeA))
    }

    private func kernel(
        _ a: Program.Operand, _ b: Program.Operand, to y: Program.Operand, _ product: SplitProduct
    ) -> PreparedKernel {
        var kernel = PreparedKernel.checked({ memory in
            let a = memory[a], b = memory[b], y = memory[y]
            return { product.run(a, b, to: y) }
        })
        kernel.flops = product.flops
        return kernel
    }
}
