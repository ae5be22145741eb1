import AnnealCompiler
import AnnealCore
import AnnealGraph
import COneDNN

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

    private var strideA: Int { transposeA ? m : k }
    private var strideB: Int { transposeB ? k : n }

    var forward: PreparedKernel {
        gemm(
            .input(0), transposed: transposeA, strideA, .input(1), transposed: transposeB, strideB, to: .output(0),
            rows: m, columns: n, depth: k)
    }

    /// dA = dY Bᵀ, or its transpose B dYᵀ.
    var backwardA: PreparedKernel {
        transposeA
            ? gemm(
                .input(1), transposed: transposeB, strideB, .head(0), transposed: true, n, to: .gradient(0), rows: k,
                columns: m, depth: n)
            : gemm(
                .head(0), transposed: false, n, .input(1), transposed: !transposeB, strideB, to: .gradient(0), rows: m,
                columns: k, depth: n)
    }

    /// dB = Aᵀ dY, or its transpose dYᵀ A.
    var backwardB: PreparedKernel {
        transposeB
            ? gemm(
                .head(0), transposed: true, n, .input(0), transposed: transposeA, strideA, to: .gradient(1), rows: n,
                columns: k, depth: m)
            : gemm(
                .input(0), transposed: !transposeA, strideA, .head(0), transposed: false, n, to: .gradient(1), rows: k,
                columns: n, depth: m)
    }

    private func gemm(
        _ a: Program.Operand, transposed ta: Bool, _ strideA: Int, _ b: Program.Operand, transposed tb: Bool,
        _ strideB: Int, to y: Program.Operand, rows: Int, columns: Int, depth: Int
    ) -> PreparedKernel {
        let batch = batch
        var kernel = PreparedKernel.checked({ memory in
            let a = memory[a], b = memory[b], y = memory[y]
            return {
                var status: Int32 = 0
                for i in 0..<batch where status == 0 {
                    status = adnn_sgemm(
                        ta ? 1 : 0, tb ? 1 : 0, Int64(rows), Int64(columns), Int64(depth), 1, a + i * rows * depth,
                        Int64(strideA), b + i * depth * columns, Int64(strideB), 0, y + i * rows * columns,
                        Int64(columns))
                }
                return status
            }
        })
        kernel.flops = 2 * Double(batch) * Double(rows) * Double(columns) * Double(depth)
        return kernel
    }
}
