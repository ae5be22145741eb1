import AnnealCore

/// MXNet's `dot`: the last axis of lhs (the first with `transpose_a`) times the first of rhs (the last with
/// `transpose_b`), summed.
public struct Dot: Operator {
    public static let name = "dot"
    public let transposeA: Bool
    public let transposeB: Bool

    public init(_ attributes: inout AttributeReader) throws {
        transposeA = try attributes.bool("transpose_a", default: false)
        transposeB = try attributes.bool("transpose_b", default: false)
        attributes.ignore("forward_stype")
    }

    public var inputNames: [String] { ["lhs", "rhs"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        let left =
            transposeA ? (lhs.dims.first, Array(lhs.dims.dropFirst())) : (lhs.dims.last, Array(lhs.dims.dropLast()))
        let right =
            transposeB ? (rhs.dims.last, Array(rhs.dims.dropLast())) : (rhs.dims.first, Array(rhs.dims.dropFirst()))
        guard let extent = left.0, extent == right.0 else {
            throw AnnealError("", "lhs \(lhs) and rhs \(rhs) do not multiply")
        }
        let dims = left.1 + right.1
        return [dims.isEmpty ? [1] : Shape(dims)]
    }

    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(1), .head(0)], writes: [0]),
            BackwardPart(reads: [.input(0), .head(0)], writes: [1]),
        ]
    }
}

/// MXNet's `batch_dot`: products of matrices, (batch, m, k) and (batch, k, n), each transposed on request.
public struct BatchDot: Operator {
    public static let name = "batch_dot"
    public let transposeA: Bool
    public let transposeB: Bool

    public init(_ attributes: inout AttributeReader) throws {
        transposeA = try attributes.bool("transpose_a", default: false)
        transposeB = try attributes.bool("transpose_b", default: false)
        attributes.ignore("forward_stype")
    }

    public var inputNames: [String] { ["lhs", "rhs"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        func misfit() -> AnnealError { AnnealError("", "lhs \(lhs) and rhs \(rhs) do not multiply in batches") }
        guard lhs.rank == rhs.rank, lhs.rank >= 3, lhs.dims.dropLast(2) == rhs.dims.dropLast(2) else { throw misfit() }
        let (m, k) = transposeA ? (lhs[-1], lhs[-2]) : (lhs[-2], lhs[-1])
        let (l, n) = transposeB ? (rhs[-1], rhs[-2]) : (rhs[-2], rhs[-1])
        guard k == l else { throw misfit() }
        return [Shape(lhs.dims.dropLast(2) + [m, n])]
    }

    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(1), .head(0)], writes: [0]),
            BackwardPart(reads: [.input(0), .head(0)], writes: [1]),
        ]
    }
}
