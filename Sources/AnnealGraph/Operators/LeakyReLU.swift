import AnnealCore

/// MXNet's `LeakyReLU`: x where x > 0, and below zero a branch that `act_type` chooses.
public struct LeakyReLU: SymbolOperator {
    public enum Kind: String, CaseIterable, Sendable {
        /// slope * x
        case leaky
        /// gamma * x with a gamma for each channel, or one for all (He et al. 2015)
        case prelu
        /// slope * (e^x - 1)
        case elu
        /// 1.0507 times: x, or 1.67326 (e^x - 1) below zero (Klambauer et al. 2017)
        case selu
        /// x Φ(x), by erf; on both sides of zero
        case gelu
        /// As `leaky` with a random slope in training, the mean of the bounds in inference
        case rrelu
    }

    public static let name = "LeakyReLU"
    public let kind: Kind
    public let slope: Float
    public let lowerBound: Float
    public let upperBound: Float

    public init(_ attributes: inout AttributeReader) throws {
        kind = try attributes.choice("act_type", default: .leaky)
        slope = try attributes.float("slope", default: 0.25)
        lowerBound = try attributes.float("lower_bound", default: 0.125)
        upperBound = try attributes.float("upper_bound", default: 0.334)
    }

    public var inputNames: [String] { kind == .prelu ? ["data", "gamma"] : ["data"] }
    public var detail: String { kind.rawValue }
    public var inputInitializers: [String: String] {
        kind == .prelu ? ["gamma": "[\"Constant\", {\"value\": 0.25}]"] : [:]
    }
    /// MXNet's files count the random slopes as an output.
    public var outputNames: [String] { kind == .rrelu ? ["output", "mask"] : ["output"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        if kind == .prelu {
            let channels: Shape = [data.rank > 1 ? data[1] : data[0]]
            if inputs[1] != [1] { try expect(&inputs[1], channels, "gamma") }
        }
        return kind == .rrelu ? [data, data] : [data]
    }

    public var backward: [BackwardPart] {
        switch kind {
        case .prelu: [BackwardPart(reads: [.input(0), .input(1), .outputGradient(0)], writes: [0, 1])]
        case .rrelu: [BackwardPart(reads: [.output(1), .outputGradient(0)], writes: [0])]
        case .elu, .selu: [BackwardPart(reads: [.output(0), .outputGradient(0)], writes: [0])]
        case .leaky, .gelu: [BackwardPart(reads: [.input(0), .outputGradient(0)], writes: [0])]
        }
    }
}

extension SymbolBuilder {
    /// - Parameter data: (batch, channels, …); for `prelu` with the parameter gamma, (channels,).
    public func leakyReLU(
        _ data: Symbol, _ kind: LeakyReLU.Kind, slope: Double? = nil, name: String? = nil
    ) throws -> Symbol {
        let result = try apply(
            LeakyReLU.name, name: name, inputs: [data],
            attributes: ["act_type": kind.rawValue, "slope": slope.map(AttributeText.float)])
        return Symbol([result.outputs[0]])
    }
}
