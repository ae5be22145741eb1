import AnnealCompiler
import AnnealCore
import AnnealGraph

/// An operator that multiplies matrices.
private protocol MatrixProductOperator: CPUOperator {
    func product(_ site: KernelSite) throws -> MatrixProduct
}

extension MatrixProductOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel { try product(site).forward }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try part == 0 ? product(site).backwardA : product(site).backwardB
    }
}

extension Dot: MatrixProductOperator {
    fileprivate func product(_ site: KernelSite) throws -> MatrixProduct {
        let lhs = try site.inputShape(0), rhs = try site.inputShape(1)
        let depth = transposeA ? lhs[0] : lhs[-1]
        return MatrixProduct(
            batch: 1, m: lhs.count / depth, n: rhs.count / depth, k: depth, transposeA: transposeA,
            transposeB: transposeB)
    }
}

extension BatchDot: MatrixProductOperator {
    fileprivate func product(_ site: KernelSite) throws -> MatrixProduct {
        let lhs = try site.inputShape(0), rhs = try site.inputShape(1)
        return MatrixProduct(
            batch: lhs.dims.dropLast(2).reduce(1, *), m: transposeA ? lhs[-1] : lhs[-2],
            n: transposeB ? rhs[-2] : rhs[-1], k: transposeA ? lhs[-2] : lhs[-1], transposeA: transposeA,
            transposeB: transposeB)
    }
}

/// Products y (m, n) of a (m, k) and b (k, n), each stored so or transposed, one after the other.
private struct MatrixProduct {
    let batch, m, n, k: Int
    let transposeA, transposeB: Bool

    var forward: PreparedKernel {
        kernel(
            .input(0), transposed: transposeA, .input(1), transposed: transposeB, to: .output(0), m: m, n: n, k: k)
    }

    /// dA = dY Bᵀ, or its transpose B dYᵀ.
    var backwardA: PreparedKernel {
        transposeA
            ? kernel(
                .input(1), transposed: transposeB, .head(0), transposed: true, to: .gradient(0), m: k, n: m, k: n)
            : kernel(
                .head(0), transposed: false, .input(1), transposed: !transposeB, to: .gradient(0), m: m, n: k, k: n)
    }

    /// dB = Aᵀ dY, or its transpose dYᵀ A.
    var backwardB: PreparedKernel {
        transposeB
            ? kernel(
                .head(0), transposed: true, .input(0), transposed: transposeA, to: .gradient(1), m: n, n: k, k: m)
            : kernel(
                .input(0), transposed: !transposeA, .head(0), transposed: false, to: .gradient(1), m: k, n: n, k: m)
    }

    private func kernel(
        _ a: Program.Operand, transposed transposeA: Bool, _ b: Program.Operand, transposed transposeB: Bool,
        to y: Program.Operand, m: Int, n: Int, k: Int
    ) -> PreparedKernel {
        SplitProduct(batch: batch, m: m, n: n, k: k, transposeA: transposeA, transposeB: transposeB)
            .kernel(a, b, to: y)
    }
}
