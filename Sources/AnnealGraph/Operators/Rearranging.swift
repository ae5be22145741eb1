import AnnealCore

/// MXNet's `transpose`: the axes in another order, reversed by default.
public struct Transpose: Operator {
    public static let name = "transpose"
    /// nil to reverse.
    public let axes: [Int]?
    public init(_ attributes: inout AttributeReader) throws { axes = try attributes.tuple("axes") }

    /// The place in the data of each axis of the output.
    public func order(_ data: Shape) throws -> [Int] {
        guard let axes else { return Array((0..<data.rank).reversed()) }
        let places = try axes.map { try data.axis($0) }
        guard Set(places).count == data.rank, places.count == data.rank else {
            throw AnnealError("", "axes \(axes) are not an order of the axes of \(data)")
        }
        return places
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        return [Shape(try order(data).map { data.dims[$0] })]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `SwapAxis`: two axes exchanged.
public struct SwapAxis: Operator {
    public static let name = "SwapAxis"
    public static let aliases = ["swapaxes"]
    public let dim1: Int
    public let dim2: Int

    public init(_ attributes: inout AttributeReader) throws {
        dim1 = try attributes.int("dim1", default: 0)
        dim2 = try attributes.int("dim2", default: 0)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        var dims = data.dims
        dims.swapAt(try data.axis(dim1), try data.axis(dim2))
        return [Shape(dims)]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `reverse` (`flip`): some axes from their ends.
public struct Reverse: Operator {
    public static let name = "reverse"
    public static let aliases = ["flip"]
    public let axis: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        guard let axis = try attributes.tuple("axis") else { throw AnnealError("", "reverse wants the attribute axis") }
        self.axis = axis
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0] { for value in axis { _ = try data.axis(value) } }
        return try sameShape(&inputs)
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `tile`: the data repeated as a whole, `reps` times along each axis, counted from the last.
public struct Tile: Operator {
    public static let name = "tile"
    public let reps: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        reps = try attributes.tuple("reps") ?? []
        guard reps.allSatisfy({ $0 > 0 }) else { throw attributes.wrong("reps", "\(reps)", "positive") }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let rank = max(data.rank, reps.count)
        let dims = Array(repeating: 1, count: rank - data.rank) + data.dims
        let counts = Array(repeating: 1, count: rank - reps.count) + reps
        return [Shape(zip(dims, counts).map(*))]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `repeat`: each element `repeats` times along an axis; flattened without one.
public struct Repeat: Operator {
    public static let name = "repeat"
    public let repeats: Int
    public let axis: Int?

    public init(_ attributes: inout AttributeReader) throws {
        repeats = try attributes.required("repeats")
        axis = try attributes.int("axis")
        guard repeats > 0 else { throw attributes.wrong("repeats", "\(repeats)", "positive") }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard let axis else { return [[data.count * repeats]] }
        var shape = data
        shape[try data.axis(axis)] *= repeats
        return [shape]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `stack`: arrays of one shape along a new axis.
public struct Stack: Operator {
    public static let name = "stack"
    public let numArgs: Int
    public let axis: Int

    public init(_ attributes: inout AttributeReader) throws {
        numArgs = try attributes.required("num_args")
        axis = try attributes.int("axis", default: 0)
        guard (1...maximumInputs).contains(numArgs) else {
            throw attributes.wrong("num_args", "\(numArgs)", "a positive number")
        }
    }

    public var inputNames: [String] { (0..<numArgs).map { "arg\($0)" } }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = try unify(&inputs) else { return nil }
        let place = axis < 0 ? axis + data.rank + 1 : axis
        guard (0...data.rank).contains(place) else {
            throw AnnealError("", "axis \(axis) is outside the shape \(data)")
        }
        var dims = data.dims
        dims.insert(numArgs, at: place)
        return [Shape(dims)]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: Array(0..<numArgs))] }
}

/// MXNet's `Pad`: a border around arrays of 4 or 5 axes; `pad_width` has two numbers for each axis.
public struct Pad: Operator {
    public enum Mode: String, CaseIterable, Sendable { case constant, edge, reflect }

    public static let name = "Pad"
    public static let aliases = ["pad"]
    public let mode: Mode
    public let padWidth: [Int]
    public let constantValue: Float

    public init(_ attributes: inout AttributeReader) throws {
        mode = try attributes.choice("mode", default: nil)
        padWidth = try attributes.tuple("pad_width") ?? []
        constantValue = try attributes.float("constant_value", default: 0)
        guard padWidth.allSatisfy({ $0 >= 0 }) else {
            throw attributes.wrong("pad_width", "\(padWidth)", "at least 0 each")
        }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard padWidth.count == 2 * data.rank, data.rank >= 4, padWidth.prefix(4).allSatisfy({ $0 == 0 }) else {
            throw AnnealError(
                "", "pad_width \(padWidth) does not fit data of shape \(data)",
                mend: "it has two numbers for each axis, 0 for batch and channels")
        }
        if mode == .reflect {
            for axis in 2..<data.rank where max(padWidth[2 * axis], padWidth[2 * axis + 1]) >= data[axis] {
                throw AnnealError("", "pad_width \(padWidth) reflects more than data of shape \(data) has")
            }
        }
        return [Shape(data.dims.enumerated().map { $1 + padWidth[2 * $0] + padWidth[2 * $0 + 1] })]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}
