import AnnealCompiler
import AnnealCore
import AnnealGraph
import Foundation

/// Gathers the gradients of several batches for one update.
///
/// Owns its memory. An addition is one parallel pass, element by element: the bits do not depend on the number of threads.
package final class GradientAccumulator {
    /// The trained parameters with the sums as gradients, for the optimizer.
    let sums: [OptimizedParameter]
    /// Batches whose gradients are gathered.
    package private(set) var batches = 0
    private let pairs: [Pair]
    private let parameters: ParameterStore

    init(_ trained: [OptimizedParameter], _ parameters: ParameterStore) throws {
        self.parameters = parameters
        pairs = try trained.map { parameter in
            let sum = try allocateFloats(parameter.count, for: "gradients of several batches")
            return Pair(sum: sum, gradient: parameter.gradient, count: parameter.count)
        }
        sums = zip(trained, pairs).map { parameter, pair in
            OptimizedParameter(
                name: parameter.name, count: parameter.count, weight: parameter.weight, gradient: pair.sum,
                rowLength: parameter.rowLength)
        }
    }

    deinit { for pair in pairs { free(pair.sum) } }

    /// Adds the gradients of the last backward pass.
    func add() {
        let pairs = pairs, isFirst = batches == 0
        Parallel.run { part, parts in
            for pair in pairs {
                let range = Parallel.slice(pair.count, part: part, parts: parts)
                if isFirst {
                    for i in range { pair.sum[i] = pair.gradient[i] }
                } else {
                    for i in range { pair.sum[i] += pair.gradient[i] }
                }
            }
        }
        batches += 1
    }

    /// The next batch begins a new sum.
    func reset() { batches = 0 }
}

/// What a run's state holds of it.
extension GradientAccumulator: StateHolder {
    package var stateName: String { "gradients" }
    private static let countName = "batches"

    /// The number of batches and, if there are any, copies of the sums in plain layout.
    package func stateArrays() throws -> [StoredArray] {
        let count = StoredArray(name: Self.countName, Tensor([1], [Float(batches)]))
        guard batches > 0 else { return [count] }
        return try [count]
            + sums.map { sum in
                let values = UnsafeBufferPointer(start: sum.gradient, count: sum.count)
                return StoredArray(name: sum.name, try parameters.plain(values, of: sum.name))
            }
    }

    /// Goes back to what `stateArrays` gave. Throws, with nothing changed, if an array is missing or of another shape.
    package func restore(_ arrays: [StoredArray]) throws {
        let stored = Dictionary(arrays.map { ($0.name, $0) }) { $1 }
        guard let count = stored[Self.countName]?.tensor().elements.first.flatMap({ Int(exactly: $0) }), count >= 0
        else {
            throw AnnealError("gathered gradients", "have no number of batches", code: .mismatch)
        }
        let values = try sums.map { sum in
            guard count > 0 else { return [Float]() }
            guard let array = stored[sum.name] else {
                throw AnnealError("gradient of \(sum.name)", "is not in the state", code: .mismatch)
            }
            return try parameters.packed(array.tensor(), of: sum.name)
        }
        for (pair, values) in zip(pairs, values) { pair.sum.update(from: values, count: values.count) }
        batches = count
    }
}

/// A gradient and the sum that it is added to. Threads share it: each writes its own elements.
private struct Pair: @unchecked Sendable {
    let sum: UnsafeMutablePointer<Float>
    let gradient: UnsafePointer<Float>
    let count: Int
}
