import AnnealCore

/// MXNet's `Cast`: the values in another type; conversion to an integer truncates towards zero.
///
/// The engine computes in float32 only: values are rounded to what `dtype` can represent and continue as float32.
public struct Cast: SymbolOperator {
    public enum Kind: String, CaseIterable, Sendable {
        case float32, float64, float16, uint8, int8, int32, int64, bool, int16, bfloat16
    }

    public static let name = "Cast"
    public static let aliases = ["cast"]
    public let dtype: Kind

    public init(_ attributes: inout AttributeReader) throws {
        dtype = try attributes.choice("dtype", default: nil)
    }

    public var typeRule: TypeRule { .output(dtype.rawValue) }
    public var detail: String { dtype.rawValue }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }

    /// The gradient is in the output's type.
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

extension SymbolBuilder {
    /// - Parameter data: any shape.
    public func cast(_ data: Symbol, to dtype: Cast.Kind, name: String? = nil) throws -> Symbol {
        try apply(Cast.name, name: name, inputs: [data], attributes: ["dtype": dtype.rawValue])
    }
}
