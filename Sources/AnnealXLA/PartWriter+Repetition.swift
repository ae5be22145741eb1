import AnnealCompiler

/// Recomputation in the backward pass.
///
/// A compiler merges equal operations and orders them freely. So what is computed again reads its inputs through an
/// optimization barrier, together with the gradient that the backward pass has reached: nothing of it is merged with
/// the first time, or done too early.
extension PartWriter {
    struct Repetition {
        /// The name of the gradient that must be available first.
        var gate = ""
        /// Values that were computed again.
        var values: Set<Program.ValueID> = []
        /// Kept values, as recomputation reads them.
        var shielded: [Program.ValueID: HLOValue] = [:]
    }

    /// The gradient that the backward pass has reached when it recomputes something: the one that its next instruction
    /// reads. Nothing is recomputed before it is available.
    func gate(of instruction: Program.Instruction) throws -> HLOValue? {
        let written = Set(instruction.writes.map(\.value))
        guard
            let place = program.instructions.firstIndex(where: {
                !$0.writes.isEmpty && written.contains($0.writes[0].value)
            }),
            let reader = program.instructions[place...].first(where: {
                if case .backward = $0.action { true } else { false }
            }),
            let head = reader.reading(.outputGradient(0)), let gradient = values[head]
        else { return nil }
        if gradient.name != repetition.gate {
            repetition.gate = gradient.name
            repetition.shielded = [:]
        }
        repetition.values.formUnion(written)
        return gradient
    }

    /// Hides a value from the compiler, so that what is computed from it is not merged with the first time.
    func behindBarrier(_ id: Program.ValueID, _ gate: HLOValue?) throws -> HLOValue {
        let value = try value(id)
        // What depends on values behind a barrier is behind it too.
        guard program.values[id].kind == .temporary || program.values[id].kind == .input,
            !repetition.values.contains(id)
        else {
            return value
        }
        if let known = repetition.shielded[id] { return known }
        let made = gate.map { value.barrier(with: $0) } ?? value.barrier()
        repetition.shielded[id] = made
        return made
    }
}
