import AnnealCore
import AnnealGraph

extension OperatorImport {
    static let arithmetic: [String: Convert] = [
        "Add": { site in
            if let biased = try bias(site) { return [biased] }
            return try binary("elemwise_add", "broadcast_add", "_plus_scalar", "_plus_scalar")(site)
        },
        "Sub": binary("elemwise_sub", "broadcast_sub", "_minus_scalar", "_rminus_scalar"),
        "Mul": binary("elemwise_mul", "broadcast_mul", "_mul_scalar", "_mul_scalar"),
        "Div": binary("elemwise_div", "broadcast_div", "_div_scalar", "_rdiv_scalar"),
        "Pow": binary("_power", "broadcast_power", "_power_scalar", "_rpower_scalar"),
        "Min": several("_minimum", "broadcast_minimum"), "Max": several("_maximum", "broadcast_maximum"),
        "Sum": several("elemwise_add", "broadcast_add"),
        "Mean": { site in
            let sums = try several("elemwise_add", "broadcast_add")(site)
            guard case .computed(let sum, let order) = sums[0], site.inputs.count > 1 else { return sums }
            return [try site.scalar("_div_scalar", sum, Float(site.inputs.count), suffix: "_mean").value(order)]
        },
        "Clip": { site in
            let (stored, order) = try site.ordered(0)
            func limit(_ name: String, _ index: Int) throws -> Float? {
                if let value = site.node.attributes[name]?.float { return value }
                guard site.opset >= 11, site.has(index) else { return nil }
                let array = try site.constant(index, name)
                guard array.count == 1 else { throw site.refusal("\(name) is not one number") }
                return array.floats[0]
            }
            let (low, high) = (try limit("min", 1), try limit("max", 2))
            switch (low, high) {
            case (let low?, let high?):
                // If the limits cross, ONNX returns the upper one.
                let attributes: KeyValuePairs<String, String?> = [
                    "a_min": AttributeText.float(Double(min(low, high))), "a_max": AttributeText.float(Double(high)),
                ]
                return [try site.op("clip", [stored], attributes).value(order)]
            case (let low?, nil): return [try site.scalar("_maximum_scalar", stored, low).value(order)]
            case (nil, let high?): return [try site.scalar("_minimum_scalar", stored, high).value(order)]
            case (nil, nil): return [stored.value(order)]
            }
        },
    ]

    static func binary(
        _ elementwise: String, _ broadcast: String, _ scalar: String, _ reversed: String
    ) -> Convert {
        { site in
            for (data, other, operation) in [(0, 1, scalar), (1, 0, reversed)]
            where site.isConstant(other) && !site.isConstant(data) {
                let constant = try site.fixedOrRow(other)
                guard constant.count == 1, try constant.rank <= site.rank(data) else { continue }
                let (stored, order) = try site.ordered(data)
                return [try site.scalar(operation, stored, constant.floats[0]).value(order)]
            }
            let (a, b, order) = try site.operands(0, 1)
            return [try site.combine(a, b, elementwise, broadcast).value(order)]
        }
    }

    /// For any number of inputs.
    private static func several(_ elementwise: String, _ broadcast: String) -> Convert {
        { site in
            guard site.inputs.count > 1 else {
                let (stored, order) = try site.ordered(0)
                return [stored.value(order)]
            }
            var (sum, next, order) = try site.operands(0, 1)
            sum = try site.combine(sum, next, elementwise, broadcast)
            for index in 2..<site.inputs.count {
                if order != nil { sum = try site.transposed(sum, order) }
                order = nil
                next = site.isConstant(index) ? site.parameter(try site.fixedOrRow(index), index) : try site.data(index)
                sum = try site.combine(sum, next, elementwise, broadcast)
            }
            return [sum.value(order)]
        }
    }

    /// A row added to the output of a layer without bias becomes the layer's bias; nil for any other sum.
    private static func bias(_ site: ImportSite) throws -> ImportedValue? {
        for (data, other) in [(0, 1), (1, 0)] where site.isConstant(other) && site.uses[data] == 1 {
            guard case .computed(let stored, nil) = try site.value(data),
                case .constant(let constant) = try site.value(other), let array = constant.fixed,
                array.rank <= stored.rank
            else { continue }
            let shape = Array(repeating: 1, count: stored.rank - array.rank) + array.shape
            let axis: Int
            switch stored.entry.node.operation {
            case "FullyConnected": axis = stored.rank - 1
            case "Convolution": axis = 1
            default: continue
            }
            guard shape.enumerated().allSatisfy({ $0.element == ($0.offset == axis ? stored.shape[axis] : 1) }) else {
                continue
            }
            return try site.graph.addingBias(array.reshaped([array.count]), to: stored)?.value
        }
        return nil
    }
}
