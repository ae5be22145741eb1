import AnnealCore

/// MXNet's `Reshape`: the data under another shape. In `shape` 0 copies an extent, -1 is inferred, -2 copies all that are
/// left, -3 joins two, -4 splits one into the two that follow (one may be -1); `reverse` matches from the right.
public struct Reshape: SymbolOperator {
    public static let name = "Reshape"
    public static let aliases = ["reshape"]
    public let shape: [Int]
    public let reverse: Bool

    public init(_ attributes: inout AttributeReader) throws {
        let shape = try attributes.tuple("shape") ?? []
        reverse = try attributes.bool("reverse", default: false)
        // The old form: `target_shape` with 0 for extents to be inferred, and `keep_highest` to keep the batch.
        let target = try attributes.tuple("target_shape") ?? []
        let keepHighest = try attributes.bool("keep_highest", default: false)
        if !shape.isEmpty {
            self.shape = shape
        } else {
            var old = target.map { $0 == 0 ? -1 : $0 }
            if keepHighest, !old.isEmpty { old[0] = 0 }
            self.shape = old
        }
        guard !self.shape.isEmpty else { throw AnnealError("", "Reshape requires the attribute shape") }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let output =
            reverse
            ? Shape(try extents(Array(data.dims.reversed()), Array(shape.reversed())).reversed())
            : Shape(try extents(data.dims, shape))
        guard output.count == data.count else {
            throw AnnealError("", "the data \(data) has \(data.count) elements, shape \(shape) asks for \(output)")
        }
        return [output]
    }

    private func extents(_ dims: [Int], _ codes: [Int]) throws -> [Int] {
        func unfit() -> AnnealError { AnnealError("", "shape \(shape) does not fit the data \(Shape(dims))") }
        var result: [Int] = []
        var inferred: Int?
        var source = 0
        func next() throws -> Int {
            guard source < dims.count else { throw unfit() }
            source += 1
            return dims[source - 1]
        }
        var code = 0
        while code < codes.count {
            switch codes[code] {
            case 0: result.append(try next())
            case -1:
                guard inferred == nil else { throw unfit() }
                inferred = result.count
                result.append(1)
                source += 1
            case -2:
                while source < dims.count { result.append(try next()) }
            case -3: result.append(try next() * next())
            case -4:
                guard code + 2 < codes.count else { throw unfit() }
                let extent = try next()
                var first = codes[code + 1], second = codes[code + 2]
                if first == -1, second > 0 { first = extent / second }
                if second == -1, first > 0 { second = extent / first }
                guard first > 0, second > 0, extent % first == 0, extent / first == second else { throw unfit() }
                result += [first, second]
                code += 2
            case let extent where extent > 0:
                result.append(extent)
                source += 1
            default: throw unfit()
            }
            code += 1
        }
        guard !Shape(result).isTooLarge else { throw unfit() }
        if let inferred {
            let rest = result.reduce(1, *), total = dims.reduce(1, *)
            guard rest > 0, total % rest == 0 else { throw unfit() }
            result[inferred] = total / rest
        }
        return result
    }

    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
}

/// MXNet's `reshape_like`: `lhs` under the shape of `rhs`, or its axes `lhs_begin ..< lhs_end` under the extents of the
/// axes `rhs_begin ..< rhs_end` of `rhs`. `rhs` has no gradient.
public struct ReshapeLike: SymbolOperator {
    public static let name = "reshape_like"
    private let lhs: (begin: Int?, end: Int?)
    private let rhs: (begin: Int?, end: Int?)

    public init(_ attributes: inout AttributeReader) throws {
        lhs = (try attributes.int("lhs_begin"), try attributes.int("lhs_end"))
        rhs = (try attributes.int("rhs_begin"), try attributes.int("rhs_end"))
    }

    public var inputNames: [String] { ["lhs", "rhs"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        func range(_ bounds: (begin: Int?, end: Int?), _ shape: Shape, _ name: String) throws -> Range<Int> {
            func place(_ axis: Int) -> Int { axis < 0 ? axis + shape.rank : axis }
            let begin = place(bounds.begin ?? 0), end = place(bounds.end ?? shape.rank)
            guard begin >= 0, begin <= end, end <= shape.rank else {
                throw AnnealError("", "axes \(begin) to \(end) of \(name) are outside its shape \(shape)")
            }
            return begin..<end
        }
        let left = try range(self.lhs, lhs, "lhs"), right = try range(self.rhs, rhs, "rhs")
        let output = Shape(Array(lhs.dims[..<left.lowerBound]) + rhs.dims[right] + lhs.dims[left.upperBound...])
        guard !output.isTooLarge, output.count == lhs.count else {
            throw AnnealError("", "lhs \(lhs) does not have as many elements as \(output), which rhs \(rhs) asks for")
        }
        return [output]
    }

    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
}

/// MXNet's `expand_dims`: a new axis of extent 1 before `axis`.
public struct ExpandDims: SymbolOperator {
    public static let name = "expand_dims"
    public let axis: Int
    public init(_ attributes: inout AttributeReader) throws { axis = try attributes.required("axis") }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard axis >= -data.rank - 1, axis <= data.rank else {
            throw AnnealError("", "axis \(axis) is outside the shape \(data)")
        }
        var dims = data.dims
        dims.insert(1, at: axis < 0 ? axis + data.rank + 1 : axis)
        return [Shape(dims)]
    }

    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
}

/// MXNet's `squeeze`: without the axes of extent 1, or those that `axis` names.
public struct Squeeze: SymbolOperator {
    public static let name = "squeeze"
    public let axis: [Int]?
    public init(_ attributes: inout AttributeReader) throws { axis = try attributes.tuple("axis") }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let named = try axis.map { try Set($0.map { try axisIndex($0, of: data) }) }
        if let wrong = named?.first(where: { data[$0] != 1 }) {
            throw AnnealError("", "axis \(wrong) of the data \(data) is not 1")
        }
        var rest: [Int] = []
        for (index, extent) in data.dims.enumerated() {
            if named.map({ !$0.contains(index) }) ?? (extent != 1) { rest.append(extent) }
        }
        return [Shape(rest.isEmpty ? [1] : rest)]
    }

    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
}

extension SymbolBuilder {
    /// - Parameter shape: MXNet's codes, see `Reshape`.
    public func reshape(_ data: Symbol, shape: [Int], name: String? = nil) throws -> Symbol {
        try apply(Reshape.name, name: name, inputs: [data], attributes: ["shape": AttributeText.tuple(shape)])
    }
}
