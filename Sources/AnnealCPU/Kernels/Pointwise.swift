import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

/// A function of up to three numbers at the same position.
typealias PointwiseFunction = @Sendable (Float, Float, Float) -> Float

/// target = f(a, b, c) element by element, in parallel, for arrays with the same layout; operands that are nil count as
/// 0. The padding of blocked layouts stays zero. For functions that take little of a network's time: each element costs
/// a call.
func pointwiseKernel(
    _ site: KernelSite, _ a: Program.Operand, _ b: Program.Operand? = nil, _ c: Program.Operand? = nil,
    to target: Program.Operand, _ f: @escaping PointwiseFunction
) throws -> PreparedKernel {
    let dims = Dims(try site.value(target))
    let count = Int(dims.elements)
    var kernel = PreparedKernel { memory in
        let operands = PointwiseOperands(
            a: memory[a], b: b.map { memory[$0] }, c: c.map { memory[$0] }, y: memory[target])
        return {
            parallelRanges(count) { range in operands.apply(f, range) }
            anneal_clear_padding(operands.y, dims.c)
        }
    }
    kernel.inPlace = [a, b, c].compactMap { $0 }.map { (read: $0, written: target) }
    return kernel
}

/// Memory that threads share in disjoint ranges.
private struct PointwiseOperands: @unchecked Sendable {
    let a: UnsafeMutablePointer<Float>
    let b: UnsafeMutablePointer<Float>?
    let c: UnsafeMutablePointer<Float>?
    let y: UnsafeMutablePointer<Float>

    func apply(_ f: PointwiseFunction, _ range: Range<Int>) {
        if let b, let c {
            for i in range { y[i] = f(a[i], b[i], c[i]) }
        } else if let b {
            for i in range { y[i] = f(a[i], b[i], 0) }
        } else {
            for i in range { y[i] = f(a[i], 0, 0) }
        }
    }
}

/// Runs a loop in ranges, one per thread, or in a single one if threads would not pay off.
func parallelRanges(_ count: Int, _ body: @Sendable (Range<Int>) -> Void) {
    guard count >= 4096 else { return body(0..<count) }
    Parallel.run { part, parts in body(Parallel.slice(count, part: part, parts: parts)) }
}

/// Zeros, for an output without a gradient.
func zeroKernel(_ site: KernelSite, _ target: Program.Operand) throws -> PreparedKernel {
    let value = try site.value(target)
    let count = Int64(value.layout.elements(value.shape))
    return PreparedKernel { memory in
        let y = memory[target]
        return { anneal_fill(y, 0, count) }
    }
}
