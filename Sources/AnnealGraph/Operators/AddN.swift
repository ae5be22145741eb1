import AnnealCore

/// MXNet's `add_n` (`ElementWiseSum`): the sum of any number of arrays of one shape.
public struct AddN: SymbolOperator {
    public static let name = "add_n"
    public static let aliases = ["ElementWiseSum", "_sum"]
    public let numArgs: Int

    public init(_ attributes: inout AttributeReader) throws {
        numArgs = try attributes.inputCount()
    }

    public var inputNames: [String] { (0..<numArgs).map { "arg\($0)" } }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try unify(&inputs).map { [$0] } }

    public var isSum: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: Array(0..<numArgs))] }

    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { Double(outputs[0].count) * Double(numArgs - 1) }
}

extension SymbolBuilder {
    public func addN(_ inputs: [Symbol], name: String? = nil) throws -> Symbol {
        try apply(AddN.name, name: name, inputs: inputs, attributes: ["num_args": "\(inputs.count)"])
    }
}
