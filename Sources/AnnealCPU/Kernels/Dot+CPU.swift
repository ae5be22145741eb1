import AnnealCompiler
import AnnealCore
import AnnealGraph

extension Dot: CPUOperator {}
extension BatchDot: CPUOperator {}

extension CPUOperator where Self: MatrixOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try product(site.inputShape(0), site.inputShape(1)).forward
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let product = try product(site.inputShape(0), site.inputShape(1))
        return part == 0 ? product.backwardA : product.backwardB
    }
}

/// Products y (m, n) of a (m, k) and b (k, n), each optionally transposed, one after the other.
extension MatrixProduct {
    fileprivate var forward: PreparedKernel {
        kernel(
            .input(0), transposed: transposeA, .input(1), transposed: transposeB, to: .output(0), m: m, n: n, k: k)
    }

    /// dA = dY Bᵀ, or its transpose B dYᵀ.
    fileprivate var backwardA: PreparedKernel {
        transposeA
            ? kernel(
                .input(1), transposed: transposeB, .outputGradient(0), transposed: true, to: .gradient(0), m: k, n: m,
                k: n)
            : kernel(
                .outputGradient(0), transposed: false, .input(1), transposed: !transposeB, to: .gradient(0), m: m, n: k,
                k: n)
    }

    /// dB = Aᵀ dY, or its transpose dYᵀ A.
    fileprivate var backwardB: PreparedKernel {
        transposeB
            ? kernel(
                .outputGradient(0), transposed: true, .input(0), transposed: transposeA, to: .gradient(1), m: n, n: k,
                k: m)
            : kernel(
                .input(0), transposed: !transposeA, .outputGradient(0), transposed: false, to: .gradient(1), m: k, n: n,
                k: m)
    }

    private func kernel(
        _ a: Program.Operand, transposed transposeA: Bool, _ b: Program.Operand, transposed transposeB: Bool,
        to y: Program.Operand, m: Int, n: Int, k: Int
    ) -> PreparedKernel {
        SplitProduct(batch: batch, m: m, n: n, k: k, transposeA: transposeA, transposeB: transposeB)
            .kernel(a, b, to: y)
    }
}
