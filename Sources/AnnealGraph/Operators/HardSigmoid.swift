import AnnealCore

/// MXNet's `hard_sigmoid`: alpha x + beta, limited to 0 … 1.
public struct HardSigmoid: Operator {
    public static let name = "hard_sigmoid"
    public let alpha: Float
    public let beta: Float

    public init(_ attributes: inout AttributeReader) throws {
        alpha = try attributes.float("alpha", default: 0.2)
        beta = try attributes.float("beta", default: 0.5)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .head(0)], writes: [0])] }
}
