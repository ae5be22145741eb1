import AnnealCompiler
import AnnealCore
import AnnealGraph
import Synchronization

/// An optimizer's rule applied to some parameters: one parallel pass over fixed pieces of them, preceded by others if
/// the rule needs sums or the update is guarded. Allocates nothing when it runs.
final class RuleUpdate {
    private let rule: any UpdateRule
    /// For each parameter: its index in `StepInputs.numbers`, its name.
    private let places: [Int]
    private let names: [String]
    private let arrays: Arrays
    private let pieces: ArrayPieces
    private let scale: UnsafeMutablePointer<Float>?
    private let flags: UnsafeMutablePointer<Float>?

    /// State shared by the threads: each writes its own pieces.
    private struct Arrays: @unchecked Sendable {
        let weights: [FloatArray]
        let gradients: [FloatArray]
        /// The states of all parameters, `stateCount` each.
        let states: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>
        let stateCount: Int
        /// Of each parameter in this step.
        let numbers: UnsafeMutableBufferPointer<StepNumbers>
        /// Of each piece.
        let sums: UnsafeMutableBufferPointer<(Double, Double)>

        func slice(_ piece: ArrayPieces.Piece, noise: UnsafePointer<Float>? = nil) -> RuleSlice {
            RuleSlice(
                numbers: numbers[piece.array], start: piece.start, count: piece.count,
                weight: weights[piece.array].memory, gradient: gradients[piece.array].memory,
                states: UnsafeBufferPointer(
                    rebasing: states[piece.array * stateCount..<(piece.array + 1) * stateCount]),
                noise: noise)
        }
    }

    init(_ rule: any UpdateRule, _ parameters: [Int], _ operands: UpdateArrays, _ memory: KernelMemory) {
        self.rule = rule
        places = parameters
        let stateCount = rule.stateCount, stride = stateCount + 1
        let weights = parameters.indices.map { operands.changed[$0 * stride] }
        names = parameters.indices.map { operands.names[$0 * stride] }
        scale = memory.optional(.scale)
        flags = memory.optional(.output(0))
        let byRow = rule.sums == .ofRows
        pieces = ArrayPieces(weights) { array in
            let row = byRow ? array.count / max(1, array.rows) : 1
            return max(row, ArrayPieces.size / max(1, row) * row)
        }
        let states = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(
            capacity: parameters.count * stateCount)
        for parameter in parameters.indices {
            for state in 0..<stateCount {
                states.initializeElement(
                    at: parameter * stateCount + state, to: operands.changed[parameter * stride + 1 + state].memory)
            }
        }
        let numbers = UnsafeMutableBufferPointer<StepNumbers>.allocate(capacity: parameters.count)
        numbers.initialize(repeating: .zero)
        let sums = UnsafeMutableBufferPointer<(Double, Double)>.allocate(capacity: pieces.count)
        sums.initialize(repeating: (0, 0))
        arrays = Arrays(
            weights: weights, gradients: operands.inputs, states: states, stateCount: stateCount, numbers: numbers,
            sums: sums)
    }

    deinit {
        arrays.states.deallocate()
        arrays.numbers.deallocate()
        arrays.sums.deallocate()
    }

    /// - Parameter isAllowed: if false, nothing is changed.
    func run(_ inputs: StepInputs, isAllowed: Bool) {
        let factor = scale?.pointee ?? 1
        for (index, place) in places.enumerated() {
            arrays.numbers[index] = inputs.numbers[place]
            arrays.numbers[index][0] *= factor
        }
        guard isAllowed else {
            if let flags { for index in places.indices { flags[index] = 0 } }
            return
        }
        if rule.sums == .ofParameter { addSums() }
        if let flags {
            checkFinite(inputs, flags)
            guard places.indices.allSatisfy({ flags[$0] != 0 }) else { return }
        }
        let rule = rule
        forEach(inputs) { rule.update($0) }
    }

    /// Sums each piece, then the pieces of a parameter in order, and passes the result to the rule.
    private func addSums() {
        let rule = rule, arrays = arrays
        pieces.run { piece, _ in arrays.sums[piece.number] = rule.sums(over: arrays.slice(piece)) }
        var number = 0
        while number < pieces.count {
            let parameter = pieces[number].array
            var sums = (0.0, 0.0)
            while number < pieces.count, pieces[number].array == parameter {
                sums.0 += arrays.sums[number].0
                sums.1 += arrays.sums[number].1
                number += 1
            }
            arrays.numbers[parameter] = rule.adapted(arrays.numbers[parameter], to: sums)
        }
    }

    private func checkFinite(_ inputs: StepInputs, _ flags: UnsafeMutablePointer<Float>) {
        for index in places.indices { flags[index] = 1 }
        let rule = rule, broken = Mutex<[Int]>([])
        forEach(inputs, parameter: { index in broken.withLock { $0.append(index) } }) { rule.staysFinite($0) }
        for index in broken.withLock({ $0 }) { flags[index] = 0 }
    }

    private func forEach(_ inputs: StepInputs, _ body: @escaping @Sendable (RuleSlice) -> Void) {
        forEach(inputs, parameter: { _ in }) {
            body($0)
            return true
        }
    }

    /// Calls `body` with every piece, or with every row if sums are per row, once the numbers are the row's.
    /// - Parameter parameter: called with the parameter of each slice for which `body` returns false.
    private func forEach(
        _ inputs: StepInputs, parameter: @escaping @Sendable (Int) -> Void,
        _ body: @escaping @Sendable (RuleSlice) -> Bool
    ) {
        let rule = rule, arrays = arrays, places = places, names = names
        let byRow = rule.sums == .ofRows, drawsNoise = rule.drawsNoise
        pieces.run { piece, weight in
            guard drawsNoise || byRow else {
                if !body(arrays.slice(piece)) { parameter(piece.array) }
                return
            }
            guard drawsNoise else {
                let row = max(1, weight.count / max(1, weight.rows))
                for start in stride(from: piece.start, to: piece.start + piece.count, by: row) {
                    let part = ArrayPieces.Piece(number: piece.number, array: piece.array, start: start, count: row)
                    let slice = arrays.slice(part), numbers = rule.adapted(slice.numbers, to: rule.sums(over: slice))
                    if !body(slice.with(numbers)) { parameter(piece.array) }
                }
                return
            }
            withUnsafeTemporaryAllocation(of: Float.self, capacity: piece.count) { draws in
                RuleNoise.fill(
                    draws, chunk: piece.start / RuleNoise.chunk, parameter: names[piece.array],
                    update: inputs.updates[places[piece.array]], seed: inputs.noiseSeed)
                if !body(arrays.slice(piece, noise: UnsafePointer(draws.baseAddress))) { parameter(piece.array) }
            }
        }
    }
}
