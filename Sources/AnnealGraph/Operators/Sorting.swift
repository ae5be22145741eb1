import AnnealCore

/// MXNet's `sort` along an axis, the last by default; flattened without one.
public struct Sort: Operator {
    public static let name = "sort"
    public let axis: Int?
    public let isAscend: Bool

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.optionalAxis(default: -1)
        isAscend = try attributes.bool("is_ascend", default: true)
    }

    /// The places are a hidden output in MXNet's files, so that the values have a number.
    public var outputNames: [String] { ["output0"] }
    public var storedOutputCount: Int { 2 }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sortedShape(inputs[0], axis) }
    /// The places that the values came from.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] { [outputs[0]] }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.saved(0), .head(0)], writes: [0])] }
}

/// MXNet's `argsort`: the places that the sorted values come from, as float32.
public struct ArgSort: Operator {
    public static let name = "argsort"
    public let axis: Int?
    public let isAscend: Bool

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.optionalAxis(default: -1)
        isAscend = try attributes.bool("is_ascend", default: true)
        _ = attributes.string("dtype")
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sortedShape(inputs[0], axis) }
    public var backward: [BackwardPart] { [] }
}

/// MXNet's `topk`: the k largest (or smallest) values along an axis, their places, both, or a mask.
public struct TopK: Operator {
    public enum Result: String, CaseIterable, Sendable { case value, indices, mask, both }

    public static let name = "topk"
    public let axis: Int?
    /// 0 for all.
    public let k: Int
    public let result: Result
    public let isAscend: Bool

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.optionalAxis(default: -1)
        k = try attributes.int("k", default: 1)
        result = try attributes.choice("ret_typ", default: .indices)
        isAscend = try attributes.bool("is_ascend", default: false)
        _ = attributes.string("dtype")
        guard k >= 0 else { throw attributes.wrong("k", "\(k)", "at least 0") }
    }

    public var outputNames: [String] {
        switch result {
        case .both: ["output0", "output1"]
        case .value: ["output0"]
        case .indices, .mask: ["output"]
        }
    }
    public var storedOutputCount: Int { result == .both || result == .value ? 2 : 1 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        if result == .mask { return [data] }
        var shape = axis == nil ? [data.count] : data
        let place = axis == nil ? 0 : try data.axis(axis ?? 0)
        guard k <= shape[place] else { throw AnnealError("", "k \(k) is more than the axis of \(data) has") }
        if k > 0 { shape[place] = k }
        return outputNames.map { _ in shape }
    }

    /// The places, when values are given.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        result == .value || result == .both ? [outputs[0]] : []
    }

    public var backward: [BackwardPart] {
        result == .value || result == .both ? [BackwardPart(reads: [.saved(0), .head(0)], writes: [0])] : []
    }
}

private func sortedShape(_ data: Shape?, _ axis: Int?) throws -> [Shape]? {
    guard let data else { return nil }
    guard let axis else { return [[data.count]] }
    _ = try data.axis(axis)
    return [data]
}

extension AttributeReader {
    /// The attribute `axis`: `None`, written out, means none, which is not the default.
    mutating func optionalAxis(default value: Int) throws -> Int? {
        guard has("axis") else { return value }
        return try int("axis")
    }
}
