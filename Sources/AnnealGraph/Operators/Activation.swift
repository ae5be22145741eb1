import AnnealCore

/// MXNet's `Activation`: an elementwise function of the data, any shape.
public struct Activation: SymbolOperator {
    public enum Kind: String, CaseIterable, Sendable {
        case relu, sigmoid, tanh
        /// log(1 + e^x)
        case softrelu
        /// x / (1 + |x|)
        case softsign
    }

    public static let name = "Activation"
    public let kind: Kind

    public init(kind: Kind) { self.kind = kind }

    public init(_ attributes: inout AttributeReader) throws {
        kind = try attributes.choice("act_type", default: nil)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }

    public var isReLU: Bool { kind == .relu }
    public var detail: String { kind.rawValue }

    // The derivative follows from the output, so that the input need not be kept.
    public var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .outputGradient(0)], writes: [0])] }
}

extension SymbolBuilder {
    /// - Parameter data: any shape.
    public func activation(_ data: Symbol, _ kind: Activation.Kind, name: String? = nil) throws -> Symbol {
        try apply(Activation.name, name: name, inputs: [data], attributes: ["act_type": kind.rawValue])
    }
}
