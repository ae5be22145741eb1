import AnnealCore

/// MXNet's `slice`: each axis from `begin` to before `end` by `step`; `None` is the axis' end on that side.
public struct Slice: Operator {
    public static let name = "slice"
    public static let aliases = ["crop"]
    public let begin: [Int?]
    public let end: [Int?]
    public let step: [Int?]

    public init(_ attributes: inout AttributeReader) throws {
        begin = try attributes.optionalTuple("begin") ?? []
        end = try attributes.optionalTuple("end") ?? []
        step = try attributes.optionalTuple("step") ?? []
        guard begin.count == end.count, step.isEmpty || step.count == begin.count, !step.contains(0) else {
            throw AnnealError("", "slice has begin \(begin), end \(end) and step \(step)")
        }
    }

    /// First index, step and count of each axis.
    public func ranges(_ data: Shape) throws -> [(start: Int, step: Int, count: Int)] {
        guard begin.count <= data.rank else { throw AnnealError("", "slice has more axes than data of shape \(data)") }
        return data.dims.enumerated().map { axis, extent in
            guard axis < begin.count else { return (0, 1, extent) }
            let step = (axis < self.step.count ? self.step[axis] : nil) ?? 1
            func place(_ value: Int) -> Int { value < 0 ? value + extent : value }
            if step > 0 {
                let start = min(max(begin[axis].map(place) ?? 0, 0), extent)
                let stop = min(max(end[axis].map(place) ?? extent, 0), extent)
                return (start, step, max(0, (stop - start + step - 1) / step))
            }
            let start = min(max(begin[axis].map(place) ?? extent - 1, -1), extent - 1)
            let stop = min(max(end[axis].map(place) ?? -1, -1), extent - 1)
            return (start, step, max(0, (start - stop - step - 1) / -step))
        }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        return [Shape(try ranges(data).map(\.count))]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `slice_axis`: one axis from `begin` to before `end`.
public struct SliceAxis: Operator {
    public static let name = "slice_axis"
    public let axis: Int
    public let begin: Int
    public let end: Int?

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.required("axis")
        begin = try attributes.required("begin")
        end = try attributes.int("end")
    }

    /// The axis' place, the first index, and how many.
    public func range(_ data: Shape) throws -> (axis: Int, start: Int, count: Int) {
        let place = try data.axis(axis), extent = data.dims[place]
        let start = begin < 0 ? begin + extent : begin
        let stop = end.map { $0 < 0 ? $0 + extent : $0 } ?? extent
        guard start >= 0, start < stop, stop <= extent else {
            throw AnnealError(
                "", "begin \(begin) and end \(end.map(String.init) ?? "None") do not fit axis \(axis) of \(data)")
        }
        return (place, start, stop - start)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard var data = inputs[0] else { return nil }
        let (place, _, count) = try range(data)
        data[place] = count
        return [data]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `slice_like`: the data cut to the extents of `shape_like`, along `axes` or all; its values are not read.
public struct SliceLike: Operator {
    public static let name = "slice_like"
    public let axes: [Int]?
    public init(_ attributes: inout AttributeReader) throws { axes = try attributes.tuple("axes") }
    public var inputNames: [String] { ["data", "shape_like"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard var data = inputs[0], let like = inputs[1] else { return nil }
        guard axes != nil || data.rank == like.rank else {
            throw AnnealError("", "data \(data) and shape_like \(like) have different axes")
        }
        for axis in axes ?? Array(0..<data.rank) {
            let place = try data.axis(axis), extent = like.dims[try like.axis(axis)]
            guard extent <= data.dims[place] else {
                throw AnnealError("", "shape_like \(like) is larger than data \(data)")
            }
            data[place] = extent
        }
        return [data]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `SliceChannel` (`split`): the data in equal parts along an axis.
public struct SliceChannel: Operator {
    public static let name = "SliceChannel"
    public static let aliases = ["split"]
    public let numOutputs: Int
    public let axis: Int
    /// Drop the axis, which must become 1.
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
        let place = try data.axis(axis)
        guard data.dims[place] % numOutputs == 0 else {
            throw AnnealError("", "axis \(axis) of \(data) does not divide into num_outputs \(numOutputs)")
        }
        var dims = data.dims
        dims[place] /= numOutputs
        if squeezeAxis {
            guard dims[place] == 1 else {
                throw AnnealError("", "squeeze_axis: the parts of \(data) are \(Shape(dims))")
            }
            dims.remove(at: place)
        }
        return Array(repeating: Shape(dims), count: numOutputs)
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: (0..<numOutputs).map { .head($0) }, writes: [0])]
    }
}

/// MXNet's `Crop`: a window of the image, of the second input's height and width or of `h_w`.
public struct Crop: Operator {
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
        guard numArgs == 1 || numArgs == 2 else { throw attributes.wrong("num_args", "\(numArgs)", "1 or 2") }
        guard offset.count == 2, size.count == 2, (offset + size).allSatisfy({ $0 >= 0 }) else {
            throw AnnealError("", "Crop has offset \(offset) and h_w \(size)")
        }
    }

    public var inputNames: [String] { numArgs == 1 ? ["data"] : ["data", "crop_like"] }

    /// The first row and column.
    public func start(_ data: Shape, _ output: Shape) -> (row: Int, column: Int) {
        centerCrop ? ((data[2] - output[2]) / 2, (data[3] - output[3]) / 2) : (offset[0], offset[1])
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        var output = data
        if numArgs == 2 {
            guard let like = inputs[1] else { return nil }
            guard like.rank == 4, data.rank == 4 else {
                throw AnnealError("", "Crop wants images, not \(data) and \(like)")
            }
            output[2] = like[2]
            output[3] = like[3]
        } else {
            guard data.rank == 4 else { throw AnnealError("", "Crop wants images, not \(data)") }
            output[2] = size[0]
            output[3] = size[1]
        }
        let (row, column) = start(data, output)
        guard row >= 0, column >= 0, row + output[2] <= data[2], column + output[3] <= data[3] else {
            throw AnnealError("", "a window of \(output[2])x\(output[3]) does not fit into \(data)")
        }
        return [output]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}
