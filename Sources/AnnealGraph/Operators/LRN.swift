import AnnealCore

/// MXNet's `LRN`, local response normalisation across channels (Krizhevsky, Sutskever and Hinton 2012):
/// `x * (knorm + alpha / nsize * Σ x²)^-beta` over `nsize` channels around each.
public struct LRN: SymbolOperator {
    public static let name = "LRN"
    public let alpha: Float
    public let beta: Float
    public let knorm: Float
    public let nsize: Int

    public init(_ attributes: inout AttributeReader) throws {
        alpha = try attributes.float("alpha", default: 1e-4)
        beta = try attributes.float("beta", default: 0.75)
        knorm = try attributes.float("knorm", default: 2)
        nsize = try attributes.required("nsize")
        guard nsize > 0, nsize % 2 == 1 else { throw attributes.wrong("nsize", "\(nsize)", "odd and positive") }
    }

    /// MXNet's files count the base of the power as an output.
    public var storedOutputCount: Int { 2 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0], data.rank != 4 {
            throw AnnealError("", "data has the shape \(data), LRN requires (batch, channels, height, width)")
        }
        return try sameShape(&inputs)
    }

    /// knorm + alpha / nsize * Σ x².
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] { [inputs[0]] }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .output(0), .saved(0), .outputGradient(0)], writes: [0])]
    }
}

extension SymbolBuilder {
    /// - Parameters:
    ///   - data: (batch, channels, height, width)
    ///   - knorm: the constant under the power, written as a whole number as MXNet's networks do.
    public func lrn(
        _ data: Symbol, alpha: Double, beta: Double, knorm: Int, nsize: Int, name: String? = nil
    ) throws -> Symbol {
        try apply(
            LRN.name, name: name, inputs: [data],
            attributes: [
                "alpha": AttributeText.float(alpha), "beta": AttributeText.float(beta), "knorm": "\(knorm)",
                "nsize": "\(nsize)",
            ])
    }
}
