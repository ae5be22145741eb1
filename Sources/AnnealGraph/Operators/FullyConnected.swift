import AnnealCore

/// MXNet's `FullyConnected`: data (batch, …) flattened to (batch, k), or with `flatten=False` (…, k); weight
/// (num_hidden, k), bias (num_hidden,); output data · weightᵀ + bias.
public struct FullyConnected: SymbolOperator {
    public static let name = "FullyConnected"
    public let numHidden: Int
    public package(set) var noBias: Bool
    public let flatten: Bool

    public init(_ attributes: inout AttributeReader) throws {
        numHidden = try attributes.required("num_hidden")
        noBias = try attributes.bool("no_bias", default: false)
        flatten = try attributes.bool("flatten", default: true)
        guard numHidden > 0 else { throw attributes.wrong("num_hidden", "\(numHidden)", "positive") }
    }

    public var inputNames: [String] { noBias ? ["data", "weight"] : ["data", "weight", "bias"] }
    public var detail: String { "\(numHidden)" }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0], data.rank >= 1 else { return nil }
        let width = flatten ? data.dims.dropFirst().reduce(1, *) : data[-1]
        try expect(&inputs[1], [numHidden, width], "weight")
        if !noBias { try expect(&inputs[2], [numHidden], "bias") }
        return [flatten ? [data[0], numHidden] : Shape(data.dims.dropLast() + [numHidden])]
    }

    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(0), .outputGradient(0)], writes: noBias ? [1] : [1, 2]),
            BackwardPart(reads: [.input(1), .outputGradient(0)], writes: [0]),
        ]
    }

    public func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double {
        Double(outputs[0].count) * Double(inputs[1][1])
    }
}

extension FullyConnected: LinearLayer {
    package func channelsOfWeight(output: Shape) -> (axis: Int, groups: Int)? { output.rank == 2 ? (0, 1) : nil }
}

extension SymbolBuilder {
    /// - Parameter data: (batch, …), flattened to (batch, k).
    public func fullyConnected(
        _ data: Symbol, numHidden: Int, noBias: Bool? = nil, name: String? = nil
    ) throws -> Symbol {
        try apply(
            FullyConnected.name, name: name, inputs: [data],
            attributes: ["num_hidden": "\(numHidden)", "no_bias": noBias.map(AttributeText.bool)])
    }
}
