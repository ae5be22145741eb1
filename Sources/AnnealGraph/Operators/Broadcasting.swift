import AnnealCore

/// MXNet's `broadcast_axis`: axes of extent 1 repeated to a size.
public struct BroadcastAxis: Operator {
    public static let name = "broadcast_axis"
    public static let aliases = ["broadcast_axes"]
    public let axis: [Int]
    public let size: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.tuple("axis") ?? []
        size = try attributes.tuple("size") ?? []
        guard axis.count == size.count, size.allSatisfy({ $0 > 0 }) else {
            throw AnnealError("", "broadcast_axis has axis \(axis) and size \(size)")
        }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        var output = data
        for (axis, size) in zip(axis, size) {
            let place = try data.axis(axis)
            guard data.dims[place] == 1 else { throw AnnealError("", "axis \(axis) of \(data) is not of extent 1") }
            output[place] = size
        }
        return [output]
    }
    /// Heads summed over the repeated axes.
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `broadcast_to`: axes of extent 1 repeated to `shape`, in which 0 keeps an axis.
public struct BroadcastTo: Operator {
    public static let name = "broadcast_to"
    public let shape: [Int]
    public init(_ attributes: inout AttributeReader) throws { shape = try attributes.tuple("shape") ?? [] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard shape.count == data.rank, zip(shape, data.dims).allSatisfy({ $0 == 0 || $0 == $1 || $1 == 1 && $0 > 0 })
        else { throw AnnealError("", "\(data) does not broadcast to \(Shape(shape))") }
        return [Shape(zip(shape, data.dims).map { $0 == 0 ? $1 : $0 })]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `broadcast_like`: as `broadcast_to` with the shape of rhs, or of some of its axes; its values are not read.
public struct BroadcastLike: Operator {
    public static let name = "broadcast_like"
    public let lhsAxes: [Int]?
    public let rhsAxes: [Int]?

    public init(_ attributes: inout AttributeReader) throws {
        lhsAxes = try attributes.tuple("lhs_axes")
        rhsAxes = try attributes.tuple("rhs_axes")
        guard lhsAxes?.count == rhsAxes?.count else { throw AnnealError("", "lhs_axes and rhs_axes differ in number") }
    }

    public var inputNames: [String] { ["lhs", "rhs"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        var output = lhs
        if let lhsAxes, let rhsAxes {
            for (l, r) in zip(lhsAxes, rhsAxes) { output[try lhs.axis(l)] = rhs.dims[try rhs.axis(r)] }
        } else {
            guard lhs.rank == rhs.rank else { throw AnnealError("", "lhs \(lhs) and rhs \(rhs) have different axes") }
            output = rhs
        }
        guard zip(lhs.dims, output.dims).allSatisfy({ $0 == $1 || $0 == 1 }) else {
            throw AnnealError("", "lhs \(lhs) does not broadcast like rhs \(rhs)")
        }
        return [output]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}
