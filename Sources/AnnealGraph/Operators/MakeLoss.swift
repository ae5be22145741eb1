import AnnealCore

/// MXNet's `MakeLoss`: the data is a loss; its gradient is grad_scale, divided by the rows (`batch`) or by the number of
/// values above `valid_thresh`, at least 1 (`valid`).
public struct MakeLoss: SymbolOperator {
    public enum Normalization: String, CaseIterable, Sendable { case null, batch, valid }
    public static let name = "MakeLoss"
    public let gradScale: Float
    public let validThreshold: Float
    public let normalization: Normalization

    public init(_ attributes: inout AttributeReader) throws {
        gradScale = try attributes.float("grad_scale", default: 1)
        validThreshold = try attributes.float("valid_thresh", default: 0)
        normalization = try attributes.choice("normalization", default: .null)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var backward: [BackwardPart] {
        [BackwardPart(reads: normalization == .valid ? [.input(0)] : [], writes: [0])]
    }
    public var isLoss: Bool { true }
}

/// MXNet's `make_loss`: the data is a loss, whose gradient is 1.
public struct SimpleMakeLoss: SymbolOperator {
    public static let name = "make_loss"
    public init(_ attributes: inout AttributeReader) throws {}

    public var outputNames: [String] { ["loss"] }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var backward: [BackwardPart] { [BackwardPart(reads: [], writes: [0])] }
    public var isLoss: Bool { true }
}

extension SymbolBuilder {
    public func makeLoss(_ data: Symbol, name: String? = nil) throws -> Symbol {
        try apply(MakeLoss.name, name: name, inputs: [data])
    }
}
