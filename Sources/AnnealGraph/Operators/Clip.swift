import AnnealCore

/// MXNet's `clip`: the values limited to `a_min … a_max`; the gradient passes at both bounds.
public struct Clip: SymbolOperator {
    public static let name = "clip"
    public let minimum: Float
    public let maximum: Float

    public init(_ attributes: inout AttributeReader) throws {
        guard let low = try attributes.float("a_min"), let high = try attributes.float("a_max") else {
            throw AnnealError("", "clip requires the attributes a_min and a_max")
        }
        minimum = low
        maximum = high
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var clipRange: ClosedRange<Float>? { minimum <= maximum ? minimum...maximum : nil }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(0), .outputGradient(0)], writes: [0])] }
}

extension SymbolBuilder {
    /// Limits the data to whole bounds, e.g. 0 and 6 for ReLU6.
    public func clip(_ data: Symbol, from minimum: Int, to maximum: Int, name: String? = nil) throws -> Symbol {
        try apply(Clip.name, name: name, inputs: [data], attributes: ["a_min": "\(minimum)", "a_max": "\(maximum)"])
    }
}
