import AnnealCompiler
import AnnealCore

/// A plan's executables, and their arguments.
extension XLAPlan {
    /// - Returns: nil if it returns nothing.
    func part(_ key: PartKey) throws -> Part? {
        if let known = parts[key] { return known }
        let text: PartWriter.Text
        var isTogether = false
        if case .sum(let rows, let elements) = key.role {
            isTogether = engine.reducesTogether
            text = PartWriter.sum(rows: rows, elements: elements, reducing: isTogether ? engine.devices.count : 1)
        } else {
            let writer = PartWriter(
                shardProgram, key, precision: precision, shards: shards, usesTF32: engine.options.usesTF32,
                reproducesMXNetDefects: engine.reproducesMXNetDefects)
            text = try writer.write(carried: carried(after: key))
        }
        guard !text.results.isEmpty else { return nil }
        let made = Part(executable: try engine.compile(text.module, name(of: key), isTogether: isTogether), text: text)
        parts[key] = made
        return made
    }

    /// A part's description, for messages.
    private func name(of key: PartKey) -> String {
        let phases = key.phases
        if case .sum(let rows, _) = key.role { return "sum of \(rows) shards" }
        if key.role == .update { return phases.contains(.update) ? "update" : "sum of gradients" }
        if program.mode == .inference { return "forward pass" }
        if phases.contains([.forward, .backward]) { return "training step" }
        if phases.contains(.forward) { return "forward pass" }
        if phases.contains(.backward) { return "backward pass" }
        return phases.contains(.update) ? "update" : "program of averages and states"
    }

    /// Values that a part must return: those that later phases of a step read, and gradients that callers may read.
    private func carried(after key: PartKey) -> Set<Program.ValueID> {
        let phases = key.phases
        // A shard returns its row for the update.
        if key.role == .update { return keepsGradients ? Set(program.gradients.values) : [] }
        if key.role == .shard, phases.contains(.backward) { return [] }
        let order: [Phases] = [.forward, .backward, .check, .accumulate, .update]
        let last = order.lastIndex { phases.contains($0) } ?? order.count
        let later = order.dropFirst(last + 1).reduce(into: Phases()) { $0.formUnion($1) }
        var wanted: Set<Program.ValueID> = []
        for (index, instruction) in program.instructions.enumerated() where later.contains(program.phase(of: index)) {
            wanted.formUnion(instruction.reads.map(\.value))
            wanted.formUnion(instruction.forwardInputs)
        }
        if phases.contains(.backward), keepsGradients { wanted.formUnion(program.gradients.values) }
        return wanted.filter { program.values[$0].kind == .temporary }
    }

    // MARK: Arguments

    /// - Parameters:
    ///   - shard: its index among those of this process.
    ///   - rows: the rows that shards have left on the device.
    func arguments(
        of part: Part, _ inputs: StepInputs, shard: Int, device: Int, rows: [PJRTBuffer]
    ) throws -> [PJRTBuffer] {
        try part.text.arguments.map { argument in
            if case .row(let place) = argument { return rows[place] }
            return try buffer(argument, inputs, shard: shard, device: device)
        }
    }

    private func buffer(_ argument: PartArgument, _ inputs: StepInputs, shard: Int, device: Int) throws -> PJRTBuffer {
        switch argument {
        case .stored(let id): return try array(id).current(device)
        case .input(let id), .pixels(let id):
            guard let fed else { throw missing(id) }
            return try fed.buffer(id, engine, shard: shard, shape: shardProgram.values[id].shape, device: device)
        case .carried(let id):
            guard let buffer = carried[shard][id] else { throw missing(id) }
            return buffer
        case .row(let place): throw AnnealError("row \(place)", "is not there", code: .internalDefect)
        case .random:
            let samples = (own.lowerBound + shard) * shardProgram.samples
            let words = [
                UInt32(truncatingIfNeeded: inputs.seed), UInt32(truncatingIfNeeded: inputs.seed >> 32),
                UInt32(truncatingIfNeeded: inputs.step), UInt32(truncatingIfNeeded: samples),
            ]
            return try words.withUnsafeBytes { try engine.upload($0, .ui32, [words.count], to: device) }
        case .numbers:
            let numbers = inputs.numbers.flatMap { row in row.indices.map { row[$0] } }
            return try engine.upload(numbers, [inputs.numbers.count, StepNumbers.scalarCount], to: device)
        case .scalars:
            let scalars = [inputs.averageShare, Float(inputs.normLimit), inputs.lossScale, 1 / inputs.lossScale]
            return try engine.upload(scalars, [scalars.count], to: device)
        case .noise(let parameter):
            let name = program.trained[parameter]
            guard let id = program.variables[name] else { throw missing(0) }
            let shape = program.values[id].shape
            return try engine.upload(
                RuleNoise.draws(
                    shape.count, parameter: name, update: inputs.updates[parameter], seed: inputs.noiseSeed),
                shape.dims, to: device)
        }
    }

    func missing(_ id: Program.ValueID) -> AnnealError {
        AnnealError(
            "value \(program.values[id].name)", "is read before a pass has computed it",
            suggestion: "run the forward pass first", code: .internalDefect)
    }
}

extension Program {
    /// The first axis of its inputs.
    var samples: Int { values.first { $0.kind == .input }?.shape.dims.first ?? 0 }
}
