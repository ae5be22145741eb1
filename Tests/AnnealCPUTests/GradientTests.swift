import Anneal
import Testing

/// Every operator's gradient, compared with central differences of Σ output gradient · output.
@Suite struct GradientTests {
    @Test(arguments: GradientCase.all)
    func finiteDifferences(_ item: GradientCase) throws {
        let symbol = apply(
            item.operation, item.attributes, to: item.inputs.map(\.name) + item.auxiliary.map(\.0),
            outputs: item.outputs)
        var shapes = Dictionary(uniqueKeysWithValues: item.inputs.map { ($0.name, $0.shape) })
        let wanted = Set(shapes.keys).subtracting(item.indices.keys)
        let executor = try Executor(symbol, inputs: shapes, mode: .training, gradients: wanted)
        for (name, shape) in item.auxiliary { try executor.parameters.set(name, Tensor(shape, repeating: 1)) }
        var values: [String: [Float]] = [:]
        for (index, (name, shape)) in item.inputs.enumerated() {
            if let limit = item.indices[name] {
                values[name] = (0..<shape.count).map { Float(($0 * 7 + 1) % limit) }
            } else {
                // Shifted, so that no two inputs have equal values.
                let shift = 0.021 * Float(index)
                values[name] = spread(shape.count, item.range.0 + shift, item.range.1 + shift, seed: UInt64(index + 1))
            }
        }
        let heads = (0..<item.outputs).map { output in
            executor.input("head:\(output)").map { spread($0.count, -1.2, 1.1, seed: UInt64(90 + output)) } ?? []
        }
        for (output, head) in heads.enumerated() { _ = executor.input("head:\(output)")?.update(from: head) }
        shapes.removeAll()

        func loss() throws -> Double {
            for (name, value) in values { _ = executor.input(name)?.update(from: value) }
            try executor.forward()
            var sum = 0.0
            for (output, head) in heads.enumerated() where !head.isEmpty {
                for (value, weight) in zip(try executor.output(output).elements, head) {
                    sum += Double(value) * Double(weight)
                }
            }
            return sum
        }
        _ = try loss()
        try executor.backward()
        // The next forward pass reuses the gradients' memory.
        var gradients: [(name: String, values: [Float])] = []
        for name in wanted.sorted() {
            gradients.append((name, try #require(try executor.gradient(name), "\(name) has no gradient").elements))
        }
        let step: Float = 4e-3
        for (name, gradient) in gradients {
            let scale = gradient.map(abs).max() ?? 0
            for i in gradient.indices {
                let value = values[name]![i]
                values[name]![i] = value + step
                let above = try loss()
                values[name]![i] = value - step
                let below = try loss()
                values[name]![i] = value
                let expected = (above - below) / Double(2 * step)
                let error = abs(Double(gradient[i]) - expected)
                #expect(
                    error <= 0.01 * Double(scale) + 0.01 * abs(expected) + 3e-3,
                    "\(name)[\(i)] is \(gradient[i]), expected \(expected)")
            }
        }
    }

    /// A new operator must be in the table, or be named as one without a derivative.
    @Test func tableIsComplete() {
        let known = Set(GradientCase.all.map(\.operation)).union(GradientCase.withoutDerivative)
        let missing = OperatorRegistry.names.filter { name in
            !known.contains(name) && !name.contains("equal") && !name.contains("greater") && !name.contains("lesser")
                && !name.contains("logical_")
        }
        #expect(missing.isEmpty)
    }
}
