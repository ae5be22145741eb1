import AnnealCore

/// Which axes a reduction takes together.
public struct ReducedAxes: Sendable, Equatable {
    /// nil for all.
    public let axis: [Int]?
    public let keepdims: Bool
    /// The axes other than `axis`.
    public let exclude: Bool

    init(_ attributes: inout AttributeReader, hasExclude: Bool = true) throws {
        axis = try attributes.tuple("axis")
        keepdims = try attributes.bool("keepdims", default: false)
        exclude = hasExclude ? try attributes.bool("exclude", default: false) : false
    }

    /// The axes for data of a shape, in order.
    public func axes(_ data: Shape) throws -> [Int] {
        guard let axis else { return Array(0..<data.rank) }
        var chosen = Set<Int>()
        for value in axis { chosen.insert(try data.axis(value)) }
        return (0..<data.rank).filter { chosen.contains($0) != exclude }
    }

    /// What remains; of a full reduction one value in one axis.
    func shape(_ data: Shape) throws -> Shape {
        let gone = Set(try axes(data))
        if keepdims { return Shape(data.dims.enumerated().map { gone.contains($0.offset) ? 1 : $0.element }) }
        let rest = data.dims.indices.filter { !gone.contains($0) }.map { data.dims[$0] }
        return rest.isEmpty ? [1] : Shape(rest)
    }
}

extension Shape {
    /// A place in `dims` for an axis that may count from the end.
    func axis(_ value: Int) throws -> Int {
        let place = value < 0 ? value + rank : value
        guard dims.indices.contains(place) else {
            throw AnnealError("", "axis \(value) is outside the data's shape \(self)")
        }
        return place
    }
}

public protocol ReductionFunction: Sendable {
    static var name: String { get }
    static var aliases: [String] { get }
    static var gradientReads: [BackwardPart.Read] { get }
}

extension ReductionFunction {
    public static var aliases: [String] { [] }
    public static var gradientReads: [BackwardPart.Read] { [.input(0), .output(0)] }
}

/// A reduction over some axes, or all.
public struct Reduction<Function: ReductionFunction>: Operator {
    public static var name: String { Function.name }
    public static var aliases: [String] { Function.aliases }
    public let axes: ReducedAxes

    public init(_ attributes: inout AttributeReader) throws { axes = try ReducedAxes(&attributes) }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try inputs[0].map { [try axes.shape($0)] } }
    public var backward: [BackwardPart] { [BackwardPart(reads: Function.gradientReads + [.head(0)], writes: [0])] }
}

public enum Reductions {
    public enum Sum: ReductionFunction {
        public static let name = "sum", aliases = ["sum_axis"], gradientReads: [BackwardPart.Read] = []
    }
    public enum Mean: ReductionFunction {
        public static let name = "mean", gradientReads: [BackwardPart.Read] = []
    }
    public enum Max: ReductionFunction { public static let name = "max", aliases = ["max_axis"] }
    public enum Min: ReductionFunction { public static let name = "min", aliases = ["min_axis"] }
    public enum Prod: ReductionFunction { public static let name = "prod" }
    /// The sum without values that are not numbers.
    public enum NanSum: ReductionFunction { public static let name = "nansum" }
    public enum NanProd: ReductionFunction { public static let name = "nanprod" }

    static let operators: [any Operator.Type] = [
        Reduction<Sum>.self, Reduction<Mean>.self, Reduction<Max>.self, Reduction<Min>.self, Reduction<Prod>.self,
        Reduction<NanSum>.self, Reduction<NanProd>.self, Norm.self, ArgMax.self, ArgMin.self, ArgMaxChannel.self,
    ]
}

/// MXNet's `norm`: √Σx² (`ord` 2) or Σ|x| (`ord` 1) over some axes, or all.
public struct Norm: Operator {
    public static let name = "norm"
    public let ord: Int
    public let axes: ReducedAxes

    public init(_ attributes: inout AttributeReader) throws {
        ord = try attributes.int("ord", default: 2)
        axes = try ReducedAxes(&attributes, hasExclude: false)
        if let type = attributes.string("out_dtype") { throw attributes.wrong("out_dtype", type, "None") }
        guard ord == 1 || ord == 2 else { throw attributes.wrong("ord", "\(ord)", "1 or 2") }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try inputs[0].map { [try axes.shape($0)] } }
    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .output(0), .head(0)], writes: [0])]
    }
}

/// MXNet's `argmax`: the place of the first largest value along an axis, as float32; of all values if none is given.
public struct ArgMax: Operator {
    public static let name = "argmax"
    public let axis: Int?
    public let keepdims: Bool

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.int("axis")
        keepdims = try attributes.bool("keepdims", default: false)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        try inputs[0].map { [try $0.without(axis, keepdims: keepdims)] }
    }
    public var backward: [BackwardPart] { [] }
}

/// MXNet's `argmin`: as `argmax`, of the smallest.
public struct ArgMin: Operator {
    public static let name = "argmin"
    public let axis: Int?
    public let keepdims: Bool

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.int("axis")
        keepdims = try attributes.bool("keepdims", default: false)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        try inputs[0].map { [try $0.without(axis, keepdims: keepdims)] }
    }
    public var backward: [BackwardPart] { [] }
}

/// MXNet's `argmax_channel`: `argmax` along axis 1.
public struct ArgMaxChannel: Operator {
    public static let name = "argmax_channel"
    public init(_ attributes: inout AttributeReader) throws {}

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        try inputs[0].map { [try $0.without(1, keepdims: false)] }
    }
    public var backward: [BackwardPart] { [] }
}

extension Shape {
    /// The shape without an axis, or with 1 in its place; all axes if nil.
    func without(_ axis: Int?, keepdims: Bool) throws -> Shape {
        guard let axis else { return keepdims ? Shape(dims.map { _ in 1 }) : [1] }
        var rest = dims
        let place = try self.axis(axis)
        if keepdims { rest[place] = 1 } else { rest.remove(at: place) }
        return rest.isEmpty ? [1] : Shape(rest)
    }
}
