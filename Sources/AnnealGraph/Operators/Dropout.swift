import AnnealCore

/// MXNet's `Dropout` (Srivastava et al. 2014): in training `x * mask / (1 - p)`, the mask 0 with probability p; the
/// data itself in inference, unless `mode` is `always`.
public struct Dropout: SymbolOperator {
    public enum Mode: String, CaseIterable, Sendable { case training, always }

    public static let name = "Dropout"
    public let p: Float
    public let mode: Mode
    /// Axes along which one mask value is shared; empty for a mask of the data's shape.
    public let axes: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        p = try attributes.float("p", default: 0.5)
        mode = try attributes.choice("mode", default: .training)
        axes = try attributes.tuple("axes") ?? []
        attributes.ignore("cudnn_off")
        guard p >= 0, p < 1 else { throw attributes.wrong("p", "\(p)", "at least 0 and less than 1") }
    }

    public var detail: String { "\(p)" }
    /// MXNet's files count the mask as an output.
    public var storedOutputCount: Int { 2 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0], let axis = axes.first(where: { !data.dims.indices.contains($0) }) {
            throw AnnealError("", "axes \(axes): \(axis) is outside the data's shape \(data)")
        }
        return try sameShape(&inputs)
    }

    /// The mask, already divided by 1 - p.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        var mask = inputs[0]
        for axis in axes { mask[axis] = 1 }
        return [mask]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.saved(0), .outputGradient(0)], writes: [0])] }
}

extension SymbolBuilder {
    /// - Parameter p: the probability of dropping a value.
    public func dropout(_ data: Symbol, p: Double? = nil, name: String? = nil) throws -> Symbol {
        try apply(Dropout.name, name: name, inputs: [data], attributes: ["p": p.map(AttributeText.float)])
    }
}
