import AnnealCore
import Foundation

extension ConstantFolding {
    /// Operators that compute with elements. Integers wrap around on overflow, as elsewhere.
    static let arithmetic: [String: Fold] = [
        "Add": binary({ $0 + $1 }, { $0 &+ $1 }), "Sub": binary({ $0 - $1 }, { $0 &- $1 }),
        "Mul": binary({ $0 * $1 }, { $0 &* $1 }),
        "Div": binary({ $0 / $1 }) { a, b in b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue },
        "Mod": binary(
            { fmodf($0, $1) }
        ) { a, b in
            guard b != 0, b != -1 else { return 0 }
            let rest = a % b
            return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest
        },
        "Pow": { site in
            let base = try site.input(0), exponent = try site.input(1)
            let shape = try site.checked(try ONNXShapes.broadcast(base.shape, exponent.shape))
            guard let a = base.broadcast(shape), let b = exponent.broadcast(shape) else {
                throw site.refusal("its inputs do not fit")
            }
            let values = zip(a.floats, b.floats).map { powf($0, $1) }
            if base.type.isFloat { return [ModelArray(type: base.type, shape: shape, floats: values)] }
            return [
                ModelArray(
                    type: base.type, shape: shape, integers: values.map { Int(exactly: $0.rounded(.towardZero)) ?? 0 })
            ]
        },
        "Min": variadic({ min($0, $1) }, { min($0, $1) }), "Max": variadic({ max($0, $1) }, { max($0, $1) }),
        "Equal": comparison({ $0 == $1 }, { $0 == $1 }), "Greater": comparison({ $0 > $1 }, { $0 > $1 }),
        "Less": comparison({ $0 < $1 }, { $0 < $1 }), "GreaterOrEqual": comparison({ $0 >= $1 }, { $0 >= $1 }),
        "LessOrEqual": comparison({ $0 <= $1 }, { $0 <= $1 }),
        "And": comparison({ $0 != 0 && $1 != 0 }, { $0 != 0 && $1 != 0 }),
        "Or": comparison({ $0 != 0 || $1 != 0 }, { $0 != 0 || $1 != 0 }),
        "Not": { site in
            let data = try site.input(0)
            return [ModelArray(type: .bool, shape: data.shape, integers: data.integers.map { $0 == 0 ? 1 : 0 })]
        },
        "Where": { site in
            let condition = try site.input(0), a = try site.input(1), b = try site.input(2)
            let shape = try site.checked(
                try ONNXShapes.broadcast(condition.shape, try ONNXShapes.broadcast(a.shape, b.shape)))
            guard let flags = condition.broadcast(shape)?.integers, let x = a.broadcast(shape),
                let y = b.broadcast(shape), a.type == b.type
            else { throw site.refusal("its inputs do not fit") }
            if a.type.isFloat {
                let (x, y) = (x.floats, y.floats)
                return [
                    ModelArray(type: a.type, shape: shape, floats: flags.indices.map { flags[$0] != 0 ? x[$0] : y[$0] })
                ]
            }
            let (left, right) = (x.integers, y.integers)
            return [
                ModelArray(
                    type: a.type, shape: shape, integers: flags.indices.map { flags[$0] != 0 ? left[$0] : right[$0] })
            ]
        },
        "Range": { site in
            let numbers = try (0..<3).map { try site.input($0) }
            guard numbers.allSatisfy({ $0.count == 1 }) else { throw site.refusal("its limits are not single numbers") }
            if numbers[0].type.isFloat {
                let limits = numbers.map { Double($0.floats[0]) }
                let count = Int(exactly: max(0, ((limits[1] - limits[0]) / limits[2]).rounded(.up))) ?? Int.max
                let shape = try site.checked([count])
                return [
                    ModelArray(
                        type: numbers[0].type, shape: shape,
                        floats: (0..<count).map { Float(limits[0] + Double($0) * limits[2]) })
                ]
            }
            let limits = numbers.map { $0.integers[0] }
            guard limits[2] != 0, limits.allSatisfy({ abs($0.clampedMagnitude) < 1 << 40 }) else {
                throw site.refusal("its limits are \(limits)")
            }
            let span = limits[2] > 0 ? limits[1] - limits[0] : limits[0] - limits[1]
            let count = span <= 0 ? 0 : (span - 1) / abs(limits[2]) + 1
            let shape = try site.checked([count])
            return [
                ModelArray(
                    type: numbers[0].type, shape: shape,
                    integers: (0..<count).map { limits[0] + $0 * limits[2] })
            ]
        },
        "Cast": { site in
            guard let type = ONNXTensorRecord.elementType(site.int("to", default: 0)) else {
                throw site.refusal(
                    "it casts to \(ONNXTensorRecord.typeNames[site.int("to", default: 0)] ?? "an unknown type")")
            }
            return [try site.input(0).cast(to: type)]
        },
        "CastLike": { site in [try site.input(0).cast(to: try site.input(1).type)] },
        "Abs": unary({ abs($0) }, { $0 == Int.min ? $0 : abs($0) }), "Neg": unary({ -$0 }, { 0 &- $0 }),
        "Sqrt": unary { $0.squareRoot() }, "Floor": unary { $0.rounded(.down) }, "Ceil": unary { $0.rounded(.up) },
        "Round": unary { $0.rounded(.toNearestOrEven) }, "Reciprocal": unary { 1 / $0 }, "Exp": unary { expf($0) },
        "Log": unary { logf($0) }, "Erf": unary { erff($0) }, "Sigmoid": unary { 1 / (1 + expf(-$0)) },
        "Tanh": unary { tanhf($0) }, "Relu": unary({ max($0, 0) }, { max($0, 0) }),
        "Sin": unary { sinf($0) }, "Cos": unary { cosf($0) },
        "ReduceProd": reduction(1, { $0 * $1 }, 1, { $0 &* $1 }),
        "ReduceSum": reduction(0, { $0 + $1 }, 0, { $0 &+ $1 }),
        "ReduceMax": reduction(-.infinity, { max($0, $1) }, Int.min, { max($0, $1) }),
        "ReduceMin": reduction(.infinity, { min($0, $1) }, Int.max, { min($0, $1) }),
    ]

    private static func unary(
        _ function: @escaping @Sendable (Float) -> Float, _ integers: (@Sendable (Int) -> Int)? = nil
    ) -> Fold {
        { site in
            let data = try site.input(0)
            if data.type.isFloat {
                return [ModelArray(type: data.type, shape: data.shape, floats: data.floats.map(function))]
            }
            guard let integers else { throw site.refusal("its input is of whole numbers") }
            return [ModelArray(type: data.type, shape: data.shape, integers: data.integers.map(integers))]
        }
    }

    private static func binary(
        _ floats: @escaping @Sendable (Float, Float) -> Float, _ integers: @escaping @Sendable (Int, Int) -> Int
    ) -> Fold {
        { site in [try site.combined(site.input(0), site.input(1), floats, integers)] }
    }

    private static func variadic(
        _ floats: @escaping @Sendable (Float, Float) -> Float, _ integers: @escaping @Sendable (Int, Int) -> Int
    ) -> Fold {
        { site in
            let all = try site.inputs.indices.map { try site.input($0) }
            guard let first = all.first else { throw site.refusal("it has no input") }
            return [try all.dropFirst().reduce(first) { try site.combined($0, $1, floats, integers) }]
        }
    }

    private static func comparison(
        _ floats: @escaping @Sendable (Float, Float) -> Bool, _ integers: @escaping @Sendable (Int, Int) -> Bool
    ) -> Fold {
        { site in
            let a = try site.input(0), b = try site.input(1)
            let shape = try site.checked(try ONNXShapes.broadcast(a.shape, b.shape))
            guard let x = a.broadcast(shape), let y = b.broadcast(shape) else {
                throw site.refusal("its inputs do not fit")
            }
            let flags =
                a.type.isFloat
                ? zip(x.floats, y.floats).map(floats) : zip(x.integers, y.integers).map(integers)
            return [ModelArray(type: .bool, shape: shape, integers: flags.map { $0 ? 1 : 0 })]
        }
    }

    private static func reduction(
        _ none: Float, _ floats: @escaping @Sendable (Float, Float) -> Float, _ noneOfIntegers: Int,
        _ integers: @escaping @Sendable (Int, Int) -> Int
    ) -> Fold {
        { site in
            let data = try site.input(0), named = try site.integers(attribute: "axes", input: 1) ?? []
            if named.isEmpty, site.int("noop_with_empty_axes", default: 0) != 0 { return [data] }
            let axes = named.isEmpty ? Set(data.shape.indices) : Set(try named.map { try site.axis($0, of: data.rank) })
            let kept = data.shape.enumerated().map { axes.contains($0.offset) ? 1 : $0.element }
            // Each element is added at the position that it has when the reduced axes are 0.
            let strides = zip(ModelArray.strides(kept), kept.indices).map { axes.contains($1) ? 0 : $0 }
            let places = ModelArray(
                type: .int64, shape: kept, integers: Array(0..<kept.reduce(1, *))
            ).strided(data.shape, strides: strides).integers
            let shape =
                site.int("keepdims", default: 1) != 0
                ? kept : kept.enumerated().filter { !axes.contains($0.offset) }.map(\.element)
            if data.type.isFloat {
                var result = Array(repeating: none, count: kept.reduce(1, *))
                for (place, value) in zip(places, data.floats) { result[place] = floats(result[place], value) }
                return [ModelArray(type: data.type, shape: shape, floats: result)]
            }
            var result = Array(repeating: noneOfIntegers, count: kept.reduce(1, *))
            for (place, value) in zip(places, data.integers) { result[place] = integers(result[place], value) }
            return [ModelArray(type: data.type, shape: shape, integers: result)]
        }
    }
}

extension FoldSite {
    func combined(
        _ a: ModelArray, _ b: ModelArray, _ floats: (Float, Float) -> Float, _ integers: (Int, Int) -> Int
    ) throws -> ModelArray {
        guard a.type.isFloat == b.type.isFloat else { throw refusal("its inputs are of different types") }
        let shape = try checked(try ONNXShapes.broadcast(a.shape, b.shape))
        guard let x = a.broadcast(shape), let y = b.broadcast(shape) else { throw refusal("its inputs do not fit") }
        return a.type.isFloat
            ? ModelArray(type: a.type, shape: shape, floats: zip(x.floats, y.floats).map(floats))
            : ModelArray(type: a.type, shape: shape, integers: zip(x.integers, y.integers).map(integers))
    }
}

extension Int {
    /// Its magnitude, at most `Int.max`.
    fileprivate var clampedMagnitude: Int { self == .min ? .max : Swift.abs(self) }
}

extension ModelArray {
    /// The elements in another type: not rounded to narrower floating point, and booleans are 0 and 1.
    func cast(to target: ModelElementType) -> ModelArray {
        if target == type { return self }
        if target.isFloat { return ModelArray(type: target, shape: shape, floats: floats) }
        if target == .bool {
            return ModelArray(type: .bool, shape: shape, integers: floats.map { $0 != 0 ? 1 : 0 })
        }
        return ModelArray(type: target, shape: shape, integers: integers)
    }
}
