import AnnealCore

/// Computes nodes whose inputs are known: shape computations, and constants that exporters did not fold.
struct ConstantFolding {
    /// The number of elements that repeating operators may still create: in a damaged file they could exhaust the
    /// memory.
    private(set) var budget: Int

    /// - Parameter bytes: the size of the model's file.
    init(modelBytes bytes: Int) { budget = (1 << 20) + bytes }

    /// Whether an operator is computed here if its inputs are known.
    static func knows(_ type: String) -> Bool { table[type] != nil }

    /// The outputs of a node for known inputs; nil for omitted ones.
    mutating func outputs(_ node: ONNXFile.Node, opset: Int, _ inputs: [ModelArray?]) throws -> [ModelArray] {
        guard let fold = Self.table[node.type] else {
            throw AnnealError("", "its inputs are constant, and it is not computed at import", code: .unsupported)
        }
        let site = FoldSite(node: node, opset: opset, inputs: inputs, budget: budget)
        let outputs = try fold(site)
        let largest = inputs.compactMap { $0?.count }.max() ?? 0
        // Results no larger than an input are free.
        for output in outputs where output.count > largest { budget -= output.count }
        guard budget >= 0 else { throw site.tooLarge }
        return outputs
    }

    typealias Fold = @Sendable (FoldSite) throws -> [ModelArray]
    private static let table: [String: Fold] = shapes.merging(arithmetic) { first, _ in first }
}

/// A node whose inputs are known.
struct FoldSite {
    let node: ONNXFile.Node
    let opset: Int
    let inputs: [ModelArray?]
    let budget: Int

    var tooLarge: AnnealError {
        AnnealError("", "its constants would become larger than the model", code: .unsupported)
    }

    func refusal(_ problem: String) -> AnnealError { AnnealError("", problem, code: .unsupported) }

    func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

    func input(_ index: Int) throws -> ModelArray {
        guard index < inputs.count, let input = inputs[index] else { throw refusal("its input \(index) is missing") }
        return input
    }

    func int(_ name: String, default value: Int) -> Int { node.attributes[name]?.integer ?? value }

    /// Integers from an attribute, or in later versions from an input; nil if there is neither.
    func integers(attribute: String, input index: Int) throws -> [Int]? {
        if let values = node.attributes[attribute]?.integers { return values }
        return has(index) ? try input(index).integers : nil
    }

    func axis(_ axis: Int, of rank: Int) throws -> Int { try ONNXShapes.axis(axis, of: rank) }

    /// Checks that a result is within the model's limit.
    func checked(_ shape: [Int]) throws -> [Int] {
        guard let count = ModelArray.count(shape) else {
            throw refusal("its output would have the shape \(Shape(shape))")
        }
        guard count <= budget else { throw tooLarge }
        return shape
    }
}

/// ONNX's shape rules, shared by graphs of computed and of known values.
enum ONNXShapes {
    static func refusal(_ problem: String) -> AnnealError { AnnealError("", problem, code: .unsupported) }

    /// The shape that `Reshape` gives: 0 keeps an extent unless `allowZero`, -1 is inferred.
    static func reshaped(_ shape: [Int], to target: [Int], allowZero: Bool) throws -> [Int] {
        var result = target
        if !allowZero {
            for axis in target.indices where target[axis] == 0 {
                guard axis < shape.count else {
                    throw refusal("0 in the shape \(target) keeps an axis that is not there")
                }
                result[axis] = shape[axis]
            }
        }
        let open = result.indices.filter { result[$0] == -1 }
        guard open.count < 2, result.allSatisfy({ $0 >= -1 }), let total = ModelArray.count(shape),
            let known = ModelArray.count(result.filter { $0 != -1 })
        else { throw refusal("the shape \(target) does not fit \(Shape(shape))") }
        if let axis = open.first {
            guard known > 0, total % known == 0 else {
                throw refusal("the shape \(target) does not fit \(Shape(shape))")
            }
            result[axis] = total / known
        }
        guard ModelArray.count(result) == total else {
            throw refusal("the shape \(target) does not fit \(Shape(shape))")
        }
        return result
    }

    /// Without the axes, or without all axes of extent 1.
    static func squeezed(_ shape: [Int], axes: [Int]?) throws -> [Int] {
        guard let axes else { return shape.filter { $0 != 1 } }
        let gone = Set(try axes.map { try axis($0, of: shape.count) })
        guard gone.allSatisfy({ shape[$0] == 1 }) else {
            throw refusal("axes \(axes) of \(Shape(shape)) are not all 1")
        }
        return shape.enumerated().filter { !gone.contains($0.offset) }.map(\.element)
    }

    static func unsqueezed(_ shape: [Int], axes: [Int]) throws -> [Int] {
        let rank = shape.count + axes.count
        let new = Set(try axes.map { try axis($0, of: rank) })
        guard new.count == axes.count, rank <= 32 else { throw refusal("axes \(axes) are named twice or too many") }
        var rest = shape[...]
        return (0..<rank).map { new.contains($0) ? 1 : rest.removeFirst() }
    }

    static func flattened(_ shape: [Int], axis: Int) throws -> [Int] {
        guard axis >= -shape.count, axis <= shape.count else {
            throw refusal("axis \(axis) is outside \(Shape(shape))")
        }
        let axis = axis < 0 ? axis + shape.count : axis
        return [shape[..<axis].reduce(1, *), shape[axis...].reduce(1, *)]
    }

    static func broadcast(_ a: [Int], _ b: [Int]) throws -> [Int] {
        let rank = max(a.count, b.count)
        let left = Array(repeating: 1, count: rank - a.count) + a
        let right = Array(repeating: 1, count: rank - b.count) + b
        return try zip(left, right).map { left, right in
            guard left == right || left == 1 || right == 1 else {
                throw refusal("the shapes \(Shape(a)) and \(Shape(b)) cannot be broadcast to one")
            }
            return left == 1 ? right : left
        }
    }

    /// A nonnegative axis.
    static func axis(_ axis: Int, of rank: Int) throws -> Int {
        guard axis >= -rank, axis < rank else { throw refusal("axis \(axis) is outside its input's \(rank) axes") }
        return axis < 0 ? axis + rank : axis
    }

    /// Extents of the pieces that `Split` returns.
    static func pieces(_ extent: Int, sizes: [Int]?, count: Int) throws -> [Int] {
        if let sizes {
            guard sizes.allSatisfy({ $0 >= 0 }), sizes.reduce(0, { $0 &+ $1 }) == extent else {
                throw refusal("the pieces \(sizes) do not make up an axis of \(extent)")
            }
            return sizes
        }
        guard count > 0, count <= max(extent, 1) else { throw refusal("an axis of \(extent) has no \(count) pieces") }
        let size = (extent + count - 1) / count
        let rest = extent - size * (count - 1)
        guard rest > 0 else { throw refusal("an axis of \(extent) does not divide into \(count) pieces") }
        return Array(repeating: size, count: count - 1) + [rest]
    }

    /// The start, step and count of a slice along an axis.
    static func slice(extent: Int, start: Int, end: Int, step: Int) throws -> (first: Int, step: Int, count: Int) {
        guard step != 0, step != Int.min else { throw refusal("a step is \(step)") }
        func place(_ value: Int, _ range: ClosedRange<Int>) -> Int {
            let value = value < 0 ? max(value, -extent - 1) + extent : value
            return min(max(value, range.lowerBound), range.upperBound)
        }
        guard extent > 0 else { return (0, 1, 0) }
        if step > 0 {
            let first = place(start, 0...extent), last = place(end, 0...extent)
            return (first, step, last > first ? (last - first - 1) / step + 1 : 0)
        }
        let first = place(start, 0...extent - 1), last = end < -extent ? -1 : place(end, -1...extent - 1)
        return (first, step, first > last ? (first - last - 1) / -step + 1 : 0)
    }

    struct Slicing {
        var starts: [Int]
        var ends: [Int]
        var axes: [Int]
        var steps: [Int]
    }

    /// The parameters of a `Slice` node: attributes before version 10, then inputs.
    static func slicing(
        _ node: ONNXFile.Node, opset: Int, rank: Int, _ input: (Int, String) throws -> [Int]?
    ) throws -> Slicing {
        let starts: [Int]?, ends: [Int]?, axes: [Int]?, steps: [Int]?
        if opset >= 10 {
            (starts, ends) = (try input(1, "starts"), try input(2, "ends"))
            (axes, steps) = (try input(3, "axes"), try input(4, "steps"))
        } else {
            (starts, ends) = (node.attributes["starts"]?.integers, node.attributes["ends"]?.integers)
            (axes, steps) = (node.attributes["axes"]?.integers, nil)
        }
        guard let starts, let ends, starts.count == ends.count else { throw refusal("starts or ends are missing") }
        let all = axes ?? Array(starts.indices), strides = steps ?? starts.map { _ in 1 }
        guard all.count == starts.count, strides.count == starts.count else {
            throw refusal("starts, ends, axes and steps differ in number")
        }
        let places = try all.map { try axis($0, of: rank) }
        guard Set(places).count == places.count else { throw refusal("axes \(all) are named twice") }
        return Slicing(starts: starts, ends: ends, axes: places, steps: strides)
    }
}
