import Anneal
import Foundation

/// An operator applied to variables, as a symbol file would hold it.
///
/// - Parameters:
///   - inputs: the variables' names in the operator's order, the auxiliary states last.
func apply(_ operation: String, _ attributes: [String: String] = [:], to inputs: [String], outputs: Int = 1) -> Symbol {
    let node = Node(
        operation: operation, name: operation.lowercased(), attributes: attributes,
        inputs: inputs.map { Entry(Node(operation: nil, name: $0)) })
    return Symbol((0..<outputs).map { Entry(node, $0) })
}

/// Evenly spaced numbers of a range in random order: none is close to another, or to the middle of the range, so that
/// no small step crosses a kink.
func spread(_ count: Int, _ low: Float, _ high: Float, seed: UInt64) -> [Float] {
    let even = count + count % 2
    var places = (0..<even).map { low + (high - low) * (Float($0) + 0.5) / Float(even) }
    var random = Random(seed: seed, purpose: .test)
    for i in places.indices.reversed() { places.swapAt(i, random.below(i + 1)) }
    return Array(places.prefix(count))
}

func normal(_ shape: Shape, seed: UInt64, name: String = "") -> Tensor {
    var random = Random(seed: seed, purpose: .test, name: name)
    return Tensor(shape, (0..<shape.count).map { _ in random.uniform(-1, 1) })
}

/// Fills all parameters and inputs of an executor with random numbers.
func fill(_ executor: Executor, seed: UInt64) throws {
    for name in executor.parameters.names {
        guard let shape = executor.parameters.shape(name) else { continue }
        var value = normal(shape, seed: seed, name: name)
        // Scales and variances are positive.
        if name.hasSuffix("gamma") || name.hasSuffix("var") { value.elements = value.elements.map { abs($0) + 0.5 } }
        try executor.parameters.set(name, value)
    }
    for name in executor.inputNames {
        guard let count = executor.input(name)?.count else { continue }
        var value = normal([count], seed: seed, name: name)
        if name.hasSuffix("label") { value.elements = value.elements.map { ($0 * 2 + 2).rounded(.down) } }
        _ = executor.input(name)?.update(from: value.elements)
    }
}

/// The package's folder.
func packageFolder() -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}
