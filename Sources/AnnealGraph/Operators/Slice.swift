import AnnealCore

/// MXNet's `slice` (alias `crop`): begin ..< end by step along the first axes. Negative places count from the end; a
/// negative step goes backwards; None is the whole axis.
public struct Slice: SymbolOperator, StridedOperator {
    public static let name = "slice"
    public static let aliases = ["crop"]
    private let begin: [Int?]
    private let end: [Int?]
    private let step: [Int?]

    public init(_ attributes: inout AttributeReader) throws {
        guard let begin = try attributes.optionalTuple("begin"), let end = try attributes.optionalTuple("end") else {
            throw AnnealError("", "slice requires the attributes begin and end")
        }
        self.begin = begin
        self.end = end
        step = try attributes.optionalTuple("step") ?? begin.map { _ in nil }
        guard begin.count == end.count, step.count == begin.count else {
            throw AnnealError("", "begin, end and step of slice differ in length")
        }
        if step.contains(0) { throw attributes.wrong("step", "0", "other than 0") }
    }

    /// First place, step and number of places along an axis.
    private func places(_ axis: Int, extent: Int) -> (first: Int, step: Int, count: Int) {
        let step = step[axis] ?? 1
        var first = begin[axis] ?? (step < 0 ? extent - 1 : 0)
        var last = end[axis] ?? (step < 0 ? -1 : extent)
        if first < 0 { first += extent }
        if last < 0, end[axis] != nil { last += extent }
        first = step > 0 ? max(first, 0) : min(first, extent - 1)
        last = min(max(last, -1), extent)
        let span = step > 0 ? last - first : first - last
        return (first, step, span <= 0 || first < 0 ? 0 : (span - 1) / abs(step) + 1)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard begin.count <= data.rank else {
            throw AnnealError("", "begin has \(begin.count) places, the data \(data) has fewer axes")
        }
        var output = data
        for axis in begin.indices { output[axis] = places(axis, extent: data[axis]).count }
        guard output.count > 0 else { throw AnnealError("", "nothing is left of the data \(data)") }
        return [output]
    }

    public func view(of data: Shape, output: Shape) -> StridedView {
        var view = StridedView(data)
        for axis in begin.indices {
            let (first, step, _) = places(axis, extent: data[axis])
            view.offset += first * view.strides[axis]
            view.strides[axis] *= step
        }
        view.extents = output.dims
        return view
    }
}

/// MXNet's `slice_axis`: begin ..< end along one axis; negative places count from the end, None is the end.
public struct SliceAxis: SymbolOperator, StridedOperator {
    public static let name = "slice_axis"
    public let axis: Int
    public let begin: Int
    public let end: Int?

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.required("axis")
        begin = try attributes.required("begin")
        end = try attributes.int("end")
    }

    private func range(_ data: Shape) throws -> (axis: Int, range: Range<Int>) {
        let index = try axisIndex(axis, of: data), extent = data[index]
        let first = begin < 0 ? begin + extent : begin
        let last = end.map { $0 < 0 ? $0 + extent : $0 } ?? extent
        guard first >= 0, first < last, last <= extent else {
            throw AnnealError("", "\(begin) to \(end.map(String.init) ?? "the end") is outside axis \(axis) of \(data)")
        }
        return (index, first..<last)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let (index, range) = try range(data)
        var output = data
        output[index] = range.count
        return [output]
    }

    public func view(of data: Shape, output: Shape) throws -> StridedView {
        let (index, range) = try range(data)
        var view = StridedView(data)
        view.offset = range.lowerBound * view.strides[index]
        view.extents = output.dims
        return view
    }
}

/// MXNet's `slice_like`: the data cut at its end to the extents of `shape_like`, along `axes` or all; that input has no
/// gradient.
public struct SliceLike: SymbolOperator, StridedOperator {
    public static let name = "slice_like"
    public let axes: [Int]
    public init(_ attributes: inout AttributeReader) throws { axes = try attributes.tuple("axes") ?? [] }

    public var inputNames: [String] { ["data", "shape_like"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0], let like = inputs[1] else { return nil }
        guard !axes.isEmpty || data.rank == like.rank else {
            throw AnnealError(
                "", "data \(data) and shape_like \(like) differ in their axes", suggestion: "name the axes")
        }
        var output = data
        for axis in axes.isEmpty ? Array(data.dims.indices) : axes {
            let index = try axisIndex(axis, of: data), extent = like[try axisIndex(axis, of: like)]
            guard extent <= data[index] else {
                throw AnnealError("", "shape_like \(like) is larger than data \(data) along axis \(axis)")
            }
            output[index] = extent
        }
        return [output]
    }

    public func view(of data: Shape, output: Shape) -> StridedView {
        var view = StridedView(data)
        view.extents = output.dims
        return view
    }
}

/// MXNet's `Crop`: height and width `h_w`, or those of a second input, from `offset` or the centre. The second input has
/// no gradient. data (batch, channels, height, width).
public struct Crop: SymbolOperator, StridedOperator {
    public static let name = "Crop"
    public let numArgs: Int
    public let offset: [Int]
    public let size: [Int]
    public let centerCrop: Bool

    public init(_ attributes: inout AttributeReader) throws {
        numArgs = try attributes.required("num_args")
        offset = try attributes.tuple("offset") ?? [0, 0]
        size = try attributes.tuple("h_w") ?? [0, 0]
        centerCrop = try attributes.bool("center_crop", default: false)
        guard (1...2).contains(numArgs) else { throw attributes.wrong("num_args", "\(numArgs)", "1 or 2") }
        guard offset.count == 2, offset.allSatisfy({ $0 >= 0 }) else {
            throw attributes.wrong("offset", "\(offset)", "(y, x)")
        }
        guard size.count == 2 else { throw attributes.wrong("h_w", "\(size)", "height and width") }
    }

    public var inputNames: [String] { numArgs == 1 ? ["data"] : ["data", "crop_like"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        var extents = size
        if numArgs == 2 {
            guard let like = inputs[1] else { return nil }
            guard like.rank == 4 else { throw AnnealError("", "crop_like has the shape \(like), it must have 4 axes") }
            extents = Array(like.dims.suffix(2))
        }
        guard data.rank == 4 else {
            throw AnnealError("", "data has the shape \(data), it must be (batch, channels, height, width)")
        }
        let output: Shape = [data[0], data[1], extents[0], extents[1]]
        let start = start(data, output)
        guard (0...1).allSatisfy({ extents[$0] > 0 && start[$0] >= 0 && start[$0] + extents[$0] <= data[$0 + 2] })
        else {
            throw AnnealError("", "\(extents) from \(start) is outside the data \(data)")
        }
        return [output]
    }

    private func start(_ data: Shape, _ output: Shape) -> [Int] {
        centerCrop ? [(data[2] - output[2]) / 2, (data[3] - output[3]) / 2] : offset
    }

    public func view(of data: Shape, output: Shape) -> StridedView {
        let start = start(data, output)
        var view = StridedView(data)
        view.offset = start[0] * data[3] + start[1]
        view.extents = output.dims
        return view
    }
}
