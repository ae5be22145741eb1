import AnnealCore

/// MXNet's `transpose`: output axis i is input axis `axes[i]`; all axes reversed if absent.
public struct Transpose: SymbolOperator, StridedOperator {
    public static let name = "transpose"
    public let axes: [Int]?
    public init(_ attributes: inout AttributeReader) throws { axes = try attributes.tuple("axes") }

    private func order(_ data: Shape) throws -> [Int] {
        guard let axes else { return Array(data.dims.indices.reversed()) }
        let order = axes.map { $0 < 0 ? $0 + data.rank : $0 }
        guard order.sorted() == Array(data.dims.indices) else {
            throw AnnealError("", "axes \(axes) is not a permutation of the axes of \(data)")
        }
        return order
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        try inputs[0].map { data in [Shape(try order(data).map { data[$0] })] }
    }

    public func view(of data: Shape, output: Shape) throws -> StridedView {
        var view = StridedView(data)
        let order = try order(data), strides = view.strides
        view.extents = output.dims
        view.strides = order.map { strides[$0] }
        return view
    }
}

/// MXNet's `SwapAxis`: swaps two axes.
public struct SwapAxis: SymbolOperator, StridedOperator {
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
        var output = data
        output.dims.swapAt(try axisIndex(dim1, of: data), try axisIndex(dim2, of: data))
        return [output]
    }

    public func view(of data: Shape, output: Shape) throws -> StridedView {
        var view = StridedView(data)
        view.extents = output.dims
        view.strides.swapAt(try axisIndex(dim1, of: data), try axisIndex(dim2, of: data))
        return view
    }
}

/// MXNet's `reverse` (`flip`): reverses the order along each axis in `axis`.
public struct Reverse: SymbolOperator, StridedOperator {
    public static let name = "reverse"
    public static let aliases = ["flip"]
    public let axis: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        guard let axis = try attributes.tuple("axis") else {
            throw AnnealError("", "reverse requires the attribute axis")
        }
        self.axis = axis
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0] { for axis in axis { _ = try axisIndex(axis, of: data) } }
        return try sameShape(&inputs)
    }

    public func view(of data: Shape, output: Shape) throws -> StridedView {
        var view = StridedView(data)
        for axis in Set(try axis.map { try axisIndex($0, of: data) }) {
            view.offset += (data[axis] - 1) * view.strides[axis]
            view.strides[axis] = -view.strides[axis]
        }
        return view
    }
}

/// MXNet's `depth_to_space` and `space_to_depth`: exchange blocks of `block_size` x `block_size` positions and groups
/// of channels; (batch, channels, height, width).
public struct DepthSpace: OperatorFamily, StridedOperator {
    public enum Member: String, CaseIterable, Sendable {
        case depthToSpace = "depth_to_space"
        case spaceToDepth = "space_to_depth"
    }

    public static let name = "depth and space"
    public let member: Member
    public let blockSize: Int

    public init(_ member: Member, _ attributes: inout AttributeReader) throws {
        self.member = member
        // Its square multiplies extents.
        blockSize = try attributes.requiredFactor("block_size", atMost: 1 << 10)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let b = blockSize
        let fits =
            data.rank == 4
            && (member == .depthToSpace ? data[1] % (b * b) == 0 : data[2] % b == 0 && data[3] % b == 0)
        guard fits else {
            throw AnnealError("", "data has the shape \(data), which does not divide into blocks of \(b)")
        }
        return member == .depthToSpace
            ? [[data[0], data[1] / (b * b), data[2] * b, data[3] * b]]
            : [[data[0], data[1] * b * b, data[2] / b, data[3] / b]]
    }

    public func view(of data: Shape, output: Shape) -> StridedView {
        var view = StridedView(data)
        let b = blockSize, s = view.strides
        if member == .depthToSpace {
            // Output (n, c, h, y, w, x) from input (n, y, x, c, h, w).
            let c = output[1]
            view.extents = [data[0], c, data[2], b, data[3], b]
            view.strides = [s[0], s[1], s[2], b * c * s[1], s[3], c * s[1]]
        } else {
            // Output (n, y, x, c, h, w) from input (n, c, h, y, w, x).
            view.extents = [data[0], b, b, data[1], output[2], output[3]]
            view.strides = [s[0], s[2], s[3], s[1], b * s[2], b * s[3]]
        }
        return view
    }
}

extension SymbolBuilder {
    /// - Parameter axes: reversed if nil.
    public func transpose(_ data: Symbol, axes: [Int]? = nil, name: String? = nil) throws -> Symbol {
        try apply(Transpose.name, name: name, inputs: [data], attributes: ["axes": axes.map(AttributeText.tuple)])
    }
}
