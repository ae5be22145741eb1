import AnnealCompiler

/// What the backward pass computes a second time.
///
/// A compiler merges equal operations, and orders them as it likes. So what is computed again reads its inputs through
/// an optimization barrier, together with the gradient that the backward pass has come to: nothing of it is merged with the
/// first time, or done before its turn.
extension PartWriter {
    struct Repetition {
        /// The name of the gradient that must be there first.
        var gate = ""
        /// Values that were computed again.
        var values: Set<Program.ValueID> = []
        /// Kept values as what is computed again reads them.
        var shielded: [Program.ValueID: HLOValue] = [:]
    }

    /// What the backward pass has come to when it computes something again: the gradient that the next instruction of it
    /// reads. Nothing is computed again before it is there.
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

    /// A value that the compiler cannot see through, so that what is computed of it is not merged with the first time.
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
