import AnnealCore

/// MXNet's `Reshape`: the same values under `shape`, whose codes are 0 (copy the axis), -1 (infer), -2 (copy the rest),
/// -3 (merge two axes), -4 (split an axis into the next two numbers); with `reverse` read from the last axis.
public struct Reshape: Operator {
    public static let name = "Reshape"
    public static let aliases = ["reshape"]
    public let codes: [Int]
    public let reverse: Bool

    public init(_ attributes: inout AttributeReader) throws {
        reverse = try attributes.bool("reverse", default: false)
        let target = try attributes.tuple("target_shape")
        let keepHighest = try attributes.bool("keep_highest", default: false)
        if let shape = try attributes.tuple("shape") {
            codes = shape
        } else if let target {
            // Before 0.8: 0 means infer.
            codes = target.enumerated().map { $0.offset == 0 && keepHighest ? 0 : $0.element == 0 ? -1 : $0.element }
        } else {
            throw AnnealError("", "Reshape wants the attribute shape")
        }
        guard codes.allSatisfy({ $0 >= -4 }) else { throw attributes.wrong("shape", "\(codes)", "at least -4 each") }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let dims = reverse ? try reversed(data.dims) : try resolve(data.dims, codes)
        let shape = Shape(dims)
        guard shape.count == data.count else {
            throw AnnealError(
                "", "\(data) does not reshape to \(codes): \(shape) has \(shape.count) values, not \(data.count)")
        }
        return [shape]
    }

    /// From the right: everything is turned round, split pairs with their codes.
    private func reversed(_ dims: [Int]) throws -> [Int] {
        var turned: [Int] = []
        var index = 0
        while index < codes.count {
            if codes[index] == -4, index + 2 < codes.count {
                turned.insert(contentsOf: [-4, codes[index + 2], codes[index + 1]], at: 0)
                index += 3
            } else {
                turned.insert(codes[index], at: 0)
                index += 1
            }
        }
        return try resolve(dims.reversed(), turned).reversed()
    }

    private func resolve(_ dims: [Int], _ codes: [Int]) throws -> [Int] {
        func misfit() -> AnnealError { AnnealError("", "\(Shape(dims)) does not reshape to \(self.codes)") }
        var result: [Int] = []
        var inferred: Int?
        var source = 0
        var index = 0
        func take() throws -> Int {
            guard source < dims.count else { throw misfit() }
            defer { source += 1 }
            return dims[source]
        }
        while index < codes.count {
            switch codes[index] {
            case 0: result.append(try take())
            case -1:
                guard inferred == nil else { throw misfit() }
                inferred = result.count
                result.append(1)
                source += 1
            case -2:
                if source < dims.count { result += dims[source...] }
                source = dims.count
            case -3: result.append(try take() * take())
            case -4:
                guard index + 2 < codes.count else { throw misfit() }
                let whole = try take()
                var (left, right) = (codes[index + 1], codes[index + 2])
                index += 2
                if left == -1, right > 0 { left = whole / right }
                if right == -1, left > 0 { right = whole / left }
                guard left > 0, right > 0, left * right == whole else { throw misfit() }
                result += [left, right]
            default:
                result.append(codes[index])
                source += 1
            }
            index += 1
        }
        if let inferred {
            let total = dims.reduce(1, *), rest = result.reduce(1, *)
            guard rest > 0, total % rest == 0 else { throw misfit() }
            result[inferred] = total / rest
        }
        return result
    }

    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `reshape_like`: lhs under the shape of rhs, whose values are not read.
public struct ReshapeLike: Operator {
    public static let name = "reshape_like"
    public init(_ attributes: inout AttributeReader) throws {}
    public var inputNames: [String] { ["lhs", "rhs"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        guard lhs.count == rhs.count else { throw AnnealError("", "lhs \(lhs) does not reshape to rhs \(rhs)") }
        return [rhs]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `expand_dims`: an axis of extent 1 before `axis`.
public struct ExpandDims: Operator {
    public static let name = "expand_dims"
    public let axis: Int
    public init(_ attributes: inout AttributeReader) throws { axis = try attributes.required("axis") }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let place = axis < 0 ? axis + data.rank + 1 : axis
        guard (0...data.rank).contains(place) else {
            throw AnnealError("", "axis \(axis) is outside the data's shape \(data)")
        }
        var dims = data.dims
        dims.insert(1, at: place)
        return [Shape(dims)]
    }

    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}

/// MXNet's `squeeze`: without axes of extent 1, those of `axis` or all.
public struct Squeeze: Operator {
    public static let name = "squeeze"
    public let axis: [Int]?
    public init(_ attributes: inout AttributeReader) throws { axis = try attributes.tuple("axis") }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        var gone = Set(data.dims.indices.filter { data.dims[$0] == 1 })
        if let axis {
            let wanted = Set(try axis.map { try data.axis($0) })
            guard wanted.isSubset(of: gone) else { throw AnnealError("", "axis \(axis) of \(data) is not of extent 1") }
            gone = wanted
        }
        let rest = data.dims.indices.filter { !gone.contains($0) }.map { data.dims[$0] }
        return [rest.isEmpty ? [1] : Shape(rest)]
    }

    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
}
