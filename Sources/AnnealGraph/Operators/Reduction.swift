import AnnealCore

/// MXNet's `axis`, `keepdims` and `exclude`: the axes over which an array is reduced.
public struct ReducedAxes: Sendable {
    /// Empty: all axes.
    public let axis: [Int]
    public let keepdims: Bool
    /// The axes that are not named are reduced.
    public let exclude: Bool

    init(_ attributes: inout AttributeReader, excludes: Bool) throws {
        axis = try attributes.tuple("axis") ?? []
        keepdims = try attributes.bool("keepdims", default: false)
        exclude = excludes ? try attributes.bool("exclude", default: false) : false
    }

    /// The shape with extent 1 along reduced axes.
    package func kept(_ data: Shape) throws -> Shape {
        var named = Set<Int>()
        for number in axis {
            guard number >= -data.rank, number < data.rank else {
                throw AnnealError("", "axis \(number) is outside the shape \(data)")
            }
            guard named.insert(number < 0 ? number + data.rank : number).inserted else {
                throw AnnealError("", "axis \(number) is named twice in \(axis)")
            }
        }
        let all = axis.isEmpty
        return Shape(data.dims.enumerated().map { all || named.contains($0.offset) != exclude ? 1 : $0.element })
    }

    func output(_ data: Shape) throws -> Shape {
        let kept = try kept(data)
        if keepdims { return kept }
        var rest: [Int] = []
        let all = axis.isEmpty, named = Set(axis.map { $0 < 0 ? $0 + data.rank : $0 })
        for (index, extent) in data.dims.enumerated() where !all && named.contains(index) == exclude {
            rest.append(extent)
        }
        // MXNet has no array without axes.
        return Shape(rest.isEmpty ? [1] : rest)
    }
}

/// MXNet's reductions over `axis`: all axes if absent.
public struct Reduction: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable {
        case sum, mean, prod, max, min
        /// NaN elements are skipped.
        case nansum, nanprod
    }

    public static let name = "reduction"
    public let member: Member
    public let axes: ReducedAxes

    public init(_ member: Member, _ attributes: inout AttributeReader) throws {
        self.member = member
        axes = try ReducedAxes(&attributes, excludes: true)
    }

    public static func aliases(_ member: Member) -> [String] {
        switch member {
        case .sum: ["sum_axis"]
        case .max: ["max_axis"]
        case .min: ["min_axis"]
        default: []
        }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try inputs[0].map { [try axes.output($0)] } }

    public var backward: [BackwardPart] {
        switch member {
        case .sum, .mean: [BackwardPart(reads: [.outputGradient(0)], writes: [0])]
        case .nansum: [BackwardPart(reads: [.input(0), .outputGradient(0)], writes: [0])]
        // At ties every maximum gets the whole gradient.
        case .prod, .nanprod, .max, .min:
            [BackwardPart(reads: [.input(0), .output(0), .outputGradient(0)], writes: [0])]
        }
    }

    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { Double(inputs[0].count) }
}

/// MXNet's `norm`: Σ |x| (`ord=1`) or √Σ x² (`ord=2`) over one axis, two, or all.
public struct Norm: SymbolOperator {
    public static let name = "norm"
    public let order: Int
    public let axes: ReducedAxes

    public init(_ attributes: inout AttributeReader) throws {
        order = try attributes.int("ord", default: 2)
        axes = try ReducedAxes(&attributes, excludes: false)
        guard order == 1 || order == 2 else { throw attributes.wrong("ord", "\(order)", "1 or 2") }
        if let type = attributes.string("out_dtype") { throw attributes.wrong("out_dtype", type, "None") }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try inputs[0].map { [try axes.output($0)] } }

    public var backward: [BackwardPart] {
        [
            BackwardPart(
                reads: order == 1 ? [.input(0), .outputGradient(0)] : [.input(0), .output(0), .outputGradient(0)],
                writes: [0])
        ]
    }

    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { Double(order) * Double(inputs[0].count) }
}

/// MXNet's `argmax` and `argmin`: the place of the first extremum along `axis`, or in the whole array, as float32. No
/// gradient.
public struct ArgExtremum: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable {
        case argmax, argmin
        /// `argmax` along axis 1.
        case argmaxChannel = "argmax_channel"
    }

    public static let name = "place of an extremum"
    public let member: Member
    /// nil: of the whole array.
    public let axis: Int?
    public let keepdims: Bool
    public var exactOutputs: Set<Int> { [0] }

    public init(_ member: Member, _ attributes: inout AttributeReader) throws {
        self.member = member
        axis = member == .argmaxChannel ? 1 : try attributes.int("axis")
        keepdims = member == .argmaxChannel ? false : try attributes.bool("keepdims", default: false)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard let axis else { return [keepdims ? Shape(data.dims.map { _ in 1 }) : [1]] }
        let index = try axisIndex(axis, of: data)
        var dims = data.dims
        if keepdims { dims[index] = 1 } else { dims.remove(at: index) }
        return [Shape(dims.isEmpty ? [1] : dims)]
    }

    public var typeRule: TypeRule { .output("float32") }
    public var backward: [BackwardPart] { [] }

    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { Double(inputs[0].count) }
}

extension SymbolBuilder {
    /// - Parameter axis: the axes to reduce; all if nil.
    public func reduce(
        _ function: Reduction.Member, _ data: Symbol, axis: [Int]? = nil, keepdims: Bool? = nil, name: String? = nil
    ) throws -> Symbol {
        try apply(
            function.rawValue, name: name, inputs: [data],
            attributes: ["axis": axis.map(AttributeText.tuple), "keepdims": keepdims.map(AttributeText.bool)])
    }
}
