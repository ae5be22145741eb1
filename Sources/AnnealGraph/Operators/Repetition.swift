import AnnealCore

/// MXNet's `tile`: the whole array `reps` times along each axis; missing leading axes of either count as 1.
public struct Tile: SymbolOperator, StridedOperator {
    public static let name = "tile"
    public let reps: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        reps = try attributes.factors("reps") ?? []
        guard reps.allSatisfy({ $0 > 0 }) else { throw attributes.wrong("reps", "\(reps)", "positive numbers") }
    }

    private func aligned(_ data: Shape) -> (dims: [Int], reps: [Int]) {
        let rank = max(data.rank, reps.count)
        return (
            Array(repeating: 1, count: rank - data.rank) + data.dims,
            Array(repeating: 1, count: rank - reps.count) + reps
        )
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        inputs[0].map { data in
            let (dims, reps) = aligned(data)
            return [Shape(zip(dims, reps).map { $0 * $1 })]
        }
    }

    public func view(of data: Shape, output: Shape) -> StridedView {
        let (dims, reps) = aligned(data)
        var view = StridedView(Shape(dims))
        view.extents = zip(reps, dims).flatMap { [$0, $1] }
        view.strides = view.strides.flatMap { [0, $0] }
        return view
    }
}

/// MXNet's `repeat`: each element `repeats` times along `axis`; of the flattened array if absent.
public struct Repeat: SymbolOperator, StridedOperator {
    public static let name = "repeat"
    public let repeats: Int
    public let axis: Int?

    public init(_ attributes: inout AttributeReader) throws {
        repeats = try attributes.requiredFactor("repeats")
        axis = try attributes.int("axis")
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard let axis else { return [[data.count * repeats]] }
        var output = data
        output[try axisIndex(axis, of: data)] *= repeats
        return [output]
    }

    public func view(of data: Shape, output: Shape) throws -> StridedView {
        var view = StridedView(axis == nil ? [data.count] : data)
        let index = try axis.map { try axisIndex($0, of: data) } ?? 0
        view.extents.insert(repeats, at: index + 1)
        view.strides.insert(0, at: index + 1)
        return view
    }
}

/// MXNet's `Pad`: `pad_width` elements before and after each axis: a constant, the edge's value, or mirrored (the edge
/// itself not repeated).
public struct Pad: SymbolOperator {
    public enum Mode: String, CaseIterable, Sendable { case constant, edge, reflect }
    public static let name = "Pad"
    public static let aliases = ["pad"]
    public let mode: Mode
    public let padWidth: [Int]
    public let constantValue: Float

    public init(_ attributes: inout AttributeReader) throws {
        mode = try attributes.choice("mode", default: nil)
        padWidth = try attributes.tuple("pad_width") ?? []
        constantValue = Float(try attributes.double("constant_value") ?? 0)
        guard padWidth.count % 2 == 0, padWidth.allSatisfy({ $0 >= 0 }) else {
            throw attributes.wrong("pad_width", "\(padWidth)", "two numbers for each axis")
        }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard padWidth.count == 2 * data.rank, data.rank >= 4, padWidth.prefix(4).allSatisfy({ $0 == 0 }) else {
            throw AnnealError(
                "", "pad_width \(padWidth) does not fit data of shape \(data)",
                suggestion: "it has two numbers for each axis, 0 for batch and channels")
        }
        if mode == .reflect,
            let axis = data.dims.indices.first(where: { max(padWidth[2 * $0], padWidth[2 * $0 + 1]) >= data[$0] })
        {
            throw AnnealError("", "pad_width \(padWidth) mirrors more than axis \(axis) of \(data) has")
        }
        return [
            Shape(data.dims.enumerated().map { $0.element + padWidth[2 * $0.offset] + padWidth[2 * $0.offset + 1] })
        ]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}
