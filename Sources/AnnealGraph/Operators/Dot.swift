import AnnealCore

/// MXNet's `dot`: the sum over the last axis of `lhs` and the first of `rhs`; `transpose_a` takes the first axis of
/// `lhs`, `transpose_b` the last of `rhs`.
public struct Dot: SymbolOperator {
    public static let name = "dot"
    public let transposeA: Bool
    public let transposeB: Bool

    public init(_ attributes: inout AttributeReader) throws {
        transposeA = try attributes.bool("transpose_a", default: false)
        transposeB = try attributes.bool("transpose_b", default: false)
        if let type = attributes.string("forward_stype"), type != "default" {
            throw attributes.wrong("forward_stype", type, "default")
        }
    }

    public var inputNames: [String] { ["lhs", "rhs"] }

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

    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(1), .head(0)], writes: [0]),
            BackwardPart(reads: [.input(0), .head(0)], writes: [1]),
        ]
    }

    public func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double {
        Double(outputs[0].count) * Double(transposeA ? inputs[0][0] : inputs[0][-1])
    }
}

/// MXNet's `batch_dot`: matrix products of (batch, m, k) and (batch, k, n), each or both transposed if asked.
public struct BatchDot: SymbolOperator {
    public static let name = "batch_dot"
    public let transposeA: Bool
    public let transposeB: Bool

    public init(_ attributes: inout AttributeReader) throws {
        transposeA = try attributes.bool("transpose_a", default: false)
        transposeB = try attributes.bool("transpose_b", default: false)
        if let type = attributes.string("forward_stype"), type != "default" {
            throw attributes.wrong("forward_stype", type, "default")
        }
    }

    public var inputNames: [String] { ["lhs", "rhs"] }

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

    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(1), .head(0)], writes: [0]),
            BackwardPart(reads: [.input(0), .head(0)], writes: [1]),
        ]
    }

    public func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double {
        Double(outputs[0].count) * Double(transposeA ? inputs[0][-2] : inputs[0][-1])
    }
}
