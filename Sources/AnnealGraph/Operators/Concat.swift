import AnnealCore

/// MXNet's `Concat`: arrays that differ in one axis only, joined along it (axis 1 by default, the channels).
public struct Concat: SymbolOperator {
    public static let name = "Concat"
    public static let aliases = ["concat"]
    public let numArgs: Int
    public let dim: Int

    public init(_ attributes: inout AttributeReader) throws {
        numArgs = try attributes.inputCount()
        dim = try attributes.int("dim", default: 1)
    }

    public var inputNames: [String] { (0..<numArgs).map { "arg\($0)" } }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let first = inputs.lazy.compactMap({ $0 }).first else { return nil }
        let axis = dim < 0 ? dim + first.rank : dim
        guard first.dims.indices.contains(axis) else {
            throw AnnealError("", "dim \(dim) is outside the shape \(first)")
        }
        var output = first
        output[axis] = 0
        for (index, input) in inputs.enumerated() {
            guard let input else { return nil }
            var same = input
            if input.rank == first.rank { same[axis] = first[axis] }
            guard same == first else {
                throw AnnealError(
                    "", "arg\(index) has the shape \(input), which does not join \(first) along axis \(axis)")
            }
            output[axis] += input[axis]
        }
        return [output]
    }

    /// Each input's gradient is its slice of the output gradient.
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: Array(0..<numArgs))] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

/// More inputs than any real graph has: `num_args` in a damaged file must not exhaust memory.
let maximumInputs = 100_000

extension AttributeReader {
    /// `num_args`, of operators with any number of inputs.
    mutating func inputCount() throws -> Int {
        let count = try required("num_args")
        guard (1...maximumInputs).contains(count) else { throw wrong("num_args", "\(count)", "a positive number") }
        return count
    }
}

extension SymbolBuilder {
    /// - Parameter dim: the axis along which the inputs differ; MXNet's default, 1, if nil.
    public func concat(_ inputs: [Symbol], dim: Int? = nil, name: String? = nil) throws -> Symbol {
        try apply(
            Concat.name, name: name, inputs: inputs,
            attributes: ["num_args": "\(inputs.count)", "dim": dim.map(String.init)])
    }
}
