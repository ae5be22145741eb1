import AnnealCore

/// MXNet's `SliceChannel` (`split`): `num_outputs` equal pieces along `axis`, 1 by default; `squeeze_axis` drops the axis,
/// whose extent is 1 then.
public struct SliceChannel: SymbolOperator {
    public static let name = "SliceChannel"
    public static let aliases = ["split"]
    public let numOutputs: Int
    public let axis: Int
    public let squeezeAxis: Bool

    public init(_ attributes: inout AttributeReader) throws {
        numOutputs = try attributes.required("num_outputs")
        axis = try attributes.int("axis", default: 1)
        squeezeAxis = try attributes.bool("squeeze_axis", default: false)
        guard (1...maximumInputs).contains(numOutputs) else {
            throw attributes.wrong("num_outputs", "\(numOutputs)", "a positive number")
        }
    }

    public var outputNames: [String] { numOutputs == 1 ? ["output"] : (0..<numOutputs).map { "output\($0)" } }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let index = try axisIndex(axis, of: data)
        guard data[index] % numOutputs == 0, !squeezeAxis || data[index] == numOutputs else {
            throw AnnealError("", "axis \(axis) of the data \(data) does not divide into \(numOutputs) outputs")
        }
        var piece = data
        piece[index] /= numOutputs
        if squeezeAxis {
            piece.dims.remove(at: index)
            if piece.isEmpty { piece = [1] }
        }
        return Array(repeating: piece, count: numOutputs)
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: (0..<numOutputs).map { .outputGradient($0) }, writes: [0])]
    }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

/// MXNet's `stack`: arrays of one shape joined along a new axis.
public struct Stack: SymbolOperator {
    public static let name = "stack"
    public let numArgs: Int
    public let axis: Int

    public init(_ attributes: inout AttributeReader) throws {
        numArgs = try attributes.inputCount()
        axis = try attributes.int("axis", default: 0)
    }

    public var inputNames: [String] { (0..<numArgs).map { "arg\($0)" } }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let shape = try unify(&inputs) else { return nil }
        guard axis >= -shape.rank - 1, axis <= shape.rank else {
            throw AnnealError("", "axis \(axis) is outside the shape \(shape) with one axis more")
        }
        var dims = shape.dims
        dims.insert(numArgs, at: axis < 0 ? axis + shape.rank + 1 : axis)
        return [Shape(dims)]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: Array(0..<numArgs))] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

extension SymbolBuilder {
    /// The pieces of data along an axis, 1 if nil.
    public func split(_ data: Symbol, into count: Int, axis: Int? = nil, name: String? = nil) throws -> Symbol {
        try apply(
            SliceChannel.name, name: name, inputs: [data],
            attributes: ["num_outputs": "\(count)", "axis": axis.map(String.init)])
    }
}
