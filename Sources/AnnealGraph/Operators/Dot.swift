import AnnealCore

/// MXNet's `dot`: the sum over the last axis of `lhs` and the first of `rhs`; `transpose_a` takes the first axis of
/// `lhs`, `transpose_b` the last of `rhs`.
public struct Dot: MatrixOperator {
    public static let name = "dot"
    public let transposeA: Bool
    public let transposeB: Bool

    public init(_ attributes: inout AttributeReader) throws {
        (transposeA, transposeB) = try Self.transposed(&attributes)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        let depth = transposeA ? lhs[0] : lhs[-1]
        guard depth == (transposeB ? rhs[-1] : rhs[0]) else {
            throw AnnealError("", "the extents to be summed differ: lhs is \(lhs), rhs is \(rhs)")
        }
        let left = transposeA ? Array(lhs.dims.dropFirst()) : Array(lhs.dims.dropLast())
        let right = transposeB ? Array(rhs.dims.dropLast()) : Array(rhs.dims.dropFirst())
        let output = left + right
        return [Shape(output.isEmpty ? [1] : output)]
    }

    public func product(_ lhs: Shape, _ rhs: Shape) -> MatrixProduct {
        let depth = transposeA ? lhs[0] : lhs[-1]
        return MatrixProduct(
            batch: 1, m: lhs.count / max(1, depth), n: rhs.count / max(1, depth), k: depth, transposeA: transposeA,
            transposeB: transposeB)
    }
}

/// MXNet's `batch_dot`: matrix products of (batch, m, k) and (batch, k, n), each or both transposed if asked.
public struct BatchDot: MatrixOperator {
    public static let name = "batch_dot"
    public let transposeA: Bool
    public let transposeB: Bool

    public init(_ attributes: inout AttributeReader) throws {
        (transposeA, transposeB) = try Self.transposed(&attributes)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        guard lhs.rank >= 3, rhs.rank == lhs.rank, lhs.dims.dropLast(2) == rhs.dims.dropLast(2) else {
            throw AnnealError("", "lhs is \(lhs), rhs is \(rhs), they must be (batch, rows, columns) of one batch")
        }
        let (m, k) = transposeA ? (lhs[-1], lhs[-2]) : (lhs[-2], lhs[-1])
        let (depth, n) = transposeB ? (rhs[-1], rhs[-2]) : (rhs[-2], rhs[-1])
        guard k == depth else { throw AnnealError("", "the extents to be summed differ: lhs is \(lhs), rhs is \(rhs)") }
        return [Shape(lhs.dims.dropLast(2) + [m, n])]
    }

    public func product(_ lhs: Shape, _ rhs: Shape) -> MatrixProduct {
        MatrixProduct(
            batch: lhs.dims.dropLast(2).reduce(1, *), m: transposeA ? lhs[-1] : lhs[-2],
            n: transposeB ? rhs[-2] : rhs[-1], k: transposeA ? lhs[-2] : lhs[-1], transposeA: transposeA,
            transposeB: transposeB)
    }
}

/// An operator that multiplies matrices.
public protocol MatrixOperator: SymbolOperator {
    var transposeA: Bool { get }
    var transposeB: Bool { get }
    /// - Precondition: the shapes fit, as `inferShapes` has checked.
    func product(_ lhs: Shape, _ rhs: Shape) -> MatrixProduct
}

/// The extents of y[b, i, j] = Σ a[b, i, k] b[b, k, j], each factor stored so or transposed.
public struct MatrixProduct: Sendable {
    public let batch, m, n, k: Int
    public let transposeA, transposeB: Bool
}

extension MatrixOperator {
    public var inputNames: [String] { ["lhs", "rhs"] }

    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(1), .outputGradient(0)], writes: [0]),
            BackwardPart(reads: [.input(0), .outputGradient(0)], writes: [1]),
        ]
    }

    public func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double {
        Double(outputs[0].count) * Double(product(inputs[0], inputs[1]).k)
    }

    /// Whether each factor is stored transposed.
    fileprivate static func transposed(_ attributes: inout AttributeReader) throws -> (Bool, Bool) {
        let a = try attributes.bool("transpose_a", default: false),
            b = try attributes.bool("transpose_b", default: false)
        if let type = attributes.string("forward_stype"), type != "default" {
            throw attributes.wrong("forward_stype", type, "default")
        }
        return (a, b)
    }
}
