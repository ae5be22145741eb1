import AnnealCore

/// MXNet's `topk`, `sort` and `argsort` along `axis` (the last by default; None: of the flattened array). Equal values
/// keep their order. Indices are returned as float32; only values have a gradient.
public struct Ordering: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable { case topk, sort, argsort }
    public enum Returned: String, CaseIterable, Sendable {
        case value, indices
        /// 1 where an element is among the k.
        case mask
        case both
    }

    public static let name = "ordering"
    public let member: Member
    public let axis: Int?
    /// The number of elements; all if it is not positive.
    public let k: Int
    public let ascending: Bool
    public let returned: Returned
    private let dtype: String

    public init(_ member: Member, _ attributes: inout AttributeReader) throws {
        self.member = member
        axis = attributes.takeNone("axis") ? nil : try attributes.int("axis", default: -1)
        ascending = try attributes.bool("is_ascend", default: member != .topk)
        k = member == .topk ? try attributes.int("k", default: 1) : 0
        returned =
            switch member {
            case .topk: try attributes.choice("ret_typ", default: .indices)
            case .sort: .value
            case .argsort: .indices
            }
        dtype = (member == .sort ? nil : attributes.string("dtype")) ?? "float32"
    }

    public var exactOutputs: Set<Int> { returned == .indices ? [0] : [1] }
    public var outputNames: [String] {
        switch returned {
        case .both: ["output0", "output1"]
        // The indices are a second, hidden output.
        case .value: ["output0"]
        case .indices, .mask: ["output"]
        }
    }
    public var storedOutputCount: Int { returned == .value || returned == .both ? 2 : 1 }

    /// The places before, along and after the axis.
    package func axes(_ data: Shape) -> (outer: Int, axis: Int, inner: Int) {
        axis.map { extents(of: data, around: $0) } ?? (1, data.count, 1)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let index = try axis.map { try axisIndex($0, of: data) }
        let extent = index.map { data[$0] } ?? data.count
        guard k <= extent else {
            throw AnnealError("", "k is \(k), axis \(axis ?? 0) of the data \(data) has \(extent)")
        }
        if returned == .mask { return [data] }
        var output = index == nil ? [extent] : data
        output[index ?? 0] = k > 0 ? k : extent
        return returned == .both ? [output, output] : [output]
    }

    /// The indices of the values, for the backward pass.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] { returned == .value ? [outputs[0]] : [] }

    public var backward: [BackwardPart] {
        switch returned {
        case .value: [BackwardPart(reads: [.saved(0), .outputGradient(0)], writes: [0])]
        case .both: [BackwardPart(reads: [.output(1), .outputGradient(0)], writes: [0])]
        case .indices, .mask: []
        }
    }
}
