import AnnealCompiler
import AnnealCore
import AnnealGraph

/// A network on an accelerator: an executable for each part of a step that is asked for, compiled when it is.
final class XLAPlan: ExecutablePlan {
    let program: Program
    let isImmediate = false
    /// Operations of an executable do not run one by one.
    var around: ((_ operation: Int, _ run: () -> Void) -> Void)?

    private let engine: XLAEngine
    private let store: ParameterStore
    private let precision: ElementType
    /// The program of a shard: that of the batch, whose values it shares, with fewer samples.
    private let shardProgram: Program
    private let shards: Int
    /// Whether gradients can be read after a backward pass.
    private let keepsGradients: Bool
    private let isOfParameters: Bool
    private var parts: [PartKey: Part] = [:]
    /// What the next forward pass gets, what the last one got, and what earlier ones did.
    private var next: Staging?
    private var fed: Staging?
    private var free: [Staging] = []
    /// What parts of the step have left, of each shard.
    private var carried: [[Program.ValueID: PJRTBuffer]] = []
    private var results: Results?
    /// Of the last two steps: no more are under way.
    private var underWay: [[PJRTEvent]] = []

    private struct Part {
        let executable: PJRTExecutable
        let text: PartWriter.Text
    }

    init(_ request: PlanRequest, store: ParameterStore, engine: XLAEngine) throws {
        self.engine = engine
        self.store = store
        precision = request.precision
        keepsGradients = request.update?.keepsGradients ?? true
        if case .parameters = request.source { isOfParameters = true } else { isOfParameters = false }
        shards = try Self.shards(request, engine)
        (program, shardProgram) = try Self.programs(request, shards: shards)
        carried = Array(repeating: [:], count: shards)
        try store.adopt(program.stored(in: try request.storedNames())) { values in
            values.map { XLAArray($0.shape, engine: engine) }
        }
    }

    /// Samples of a batch: the first axis of every input.
    private static func batch(_ request: PlanRequest) -> Int? {
        guard case .network(_, let inputs, _) = request.source else { return nil }
        let extents = Set(inputs.values.compactMap(\.dims.first))
        return extents.count == 1 ? extents.first : nil
    }

    private static func shards(_ request: PlanRequest, _ engine: XLAEngine) throws -> Int {
        guard engine.shards > 1, let batch = batch(request) else { return 1 }
        if batch % engine.shards == 0 { return engine.shards }
        // One image to be scored is no batch to be shared.
        guard request.mode == .training else { return 1 }
        let less = batch / engine.shards * engine.shards, more = less + engine.shards
        throw AnnealError(
            "batch size \(batch)", "does not divide into \(engine.shards) shards, one for each device",
            suggestion: less > 0 ? "use \(less) or \(more)" : "use \(more)", code: .mismatch)
    }

    /// The programs of a batch and of a shard, which have the same values and instructions.
    static func programs(_ request: PlanRequest, shards: Int) throws -> (batch: Program, shard: Program) {
        let ofShard = shards == 1 ? request : request.shard(rows: (batch(request) ?? 0) / shards)
        let shard = try ofShard.passes(updatesEarly: false), kept = keptValues(request, shard)
        func completed(_ program: Program) throws -> Program {
            guard let kept else { return try request.withUpdate(program) }
            let repeated = Recomputed(program, graph: graph(program), kept: kept).program
            try repeated.verify(after: "recomputation")
            return try request.withUpdate(repeated)
        }
        let completedShard = try completed(shard)
        return (shards == 1 ? completedShard : try completed(request.passes(updatesEarly: false)), completedShard)
    }

    /// Which values the forward pass keeps for the backward pass; nil: all that it reads. What costs little is fused into what
    /// reads it anyway, so that only `--recompute` has an effect.
    private static func keptValues(_ request: PlanRequest, _ program: Program) -> [Bool]? {
        guard request.mode == .training, case .network = request.source, request.recomputation != .cheap,
            request.recomputation != .off
        else { return nil }
        return RecomputationSearch.kept(request.recomputation, in: program, graph: graph(program))
    }

    private static func graph(_ program: Program) -> ForwardGraph {
        ForwardGraph(program, repeatsFromSaved: { $0.savesStatistics })
    }

    // MARK: Inputs

    func input(_ name: String) -> UnsafeMutableBufferPointer<Float>? {
        program.input(name).map { current().floats($0) }
    }

    func pixels(_ name: String, _ scaling: PixelScaling) -> UnsafeMutableBufferPointer<UInt8>? {
        guard let id = program.input(name), program.values[id].shape.rank == 4,
            program.values[id].shape[1] == scaling.mean.count
        else { return nil }
        return current().pixels(id, scaling)
    }

    /// Memory for the next forward pass: another one while the results of an earlier pass are held.
    private func current() -> Staging {
        if let next { return next }
        for index in free.indices where isKnownUniquelyReferenced(&free[index]) {
            let staging = free.remove(at: index)
            staging.finishUploads()
            next = staging
            return staging
        }
        let made = Staging(program)
        next = made
        return made
    }

    // MARK: Runs

    func run(_ phases: Phases, _ inputs: StepInputs) throws -> any StepResults {
        while underWay.count > 1 { for event in underWay.removeFirst() { try event.wait() } }
        if phases.contains(.forward) || isOfParameters {
            if let fed {
                fed.forgetUploads()
                free.append(fed)
            }
            let staging = current()
            next = nil
            fed = staging
            carried = carried.map { _ in [:] }
            results = nil
        }
        let results = self.results ?? Results(program, engine, fed)
        self.results = results
        underWay.append([])
        let keys = keys(phases, inputs.merge, pixels: fed?.scalings ?? [:])
        if isShared(phases) {
            try runShards(keys, inputs, results)
        } else {
            for key in keys { try runEverywhere(key, inputs, results) }
        }
        if phases != .forward { store.noteChange() }
        return results
    }

    func prepare(_ phases: Phases, _ inputs: StepInputs) throws {
        for key in keys(phases, inputs.merge, pixels: next?.scalings ?? [:]) { _ = try part(key) }
    }

    /// Whether the shards of a batch have parts of their own in these phases.
    private func isShared(_ phases: Phases) -> Bool {
        shards > 1 && (program.mode == .inference || !phases.isDisjoint(with: [.forward, .backward, .check]))
    }

    /// The parts that phases are run by, in order.
    private func keys(_ phases: Phases, _ merge: StepInputs.Merge, pixels: [Program.ValueID: PixelScaling]) -> [PartKey]
    {
        let passes: Phases = [.forward, .backward, .check], sums: Phases = [.accumulate, .update]
        func key(_ phases: Phases, _ role: PartKey.Role = .whole) -> PartKey {
            PartKey(phases, merge, role, pixels: pixels)
        }
        if isShared(phases) {
            guard program.mode == .training else { return [key(phases.intersection(passes))] }
            let shard = key(phases.intersection(passes), .shard)
            guard phases.contains(.backward) else { return [shard] }
            return [shard, key(phases.intersection(sums.union(.check)), .exchange)]
        }
        // The sums of several batches have an executable of their own: their order changes from batch to batch.
        return phases.contains(.accumulate)
            ? [key(phases.subtracting(sums)), key(phases.intersection(sums))] : [key(phases)]
    }

    /// Every device does the same: what needs no shard's data.
    private func runEverywhere(_ key: PartKey, _ inputs: StepInputs, _ results: Results) throws {
        for device in engine.devices.indices {
            try runPart(key, inputs, results, shard: 0, device: device)
        }
    }

    /// - Parameter keys: a shard's part, and, where there is one, what follows it on every device.
    private func runShards(_ keys: [PartKey], _ inputs: StepInputs, _ results: Results) throws {
        var rows: [PJRTBuffer?] = []
        for shard in 0..<shards {
            rows.append(
                try runPart(keys[0], inputs, results, shard: shard, device: shard % engine.devices.count))
        }
        let given = rows.compactMap { $0 }
        guard keys.count > 1, !given.isEmpty else { return }
        if engine.reducesTogether { return try runTogether(keys[1], inputs, results, rows: given) }
        for device in engine.devices.indices {
            let here = try given.enumerated().map { shard, row in
                shard % engine.devices.count == device ? row : try row.copied(to: engine.devices[device])
            }
            try runPart(keys[1], inputs, results, shard: 0, device: device, rows: here)
        }
    }

    /// What follows the shards' parts, on all devices at once: each has the rows of its own shards.
    private func runTogether(_ key: PartKey, _ inputs: StepInputs, _ results: Results, rows: [PJRTBuffer]) throws {
        guard let part = try part(key) else { return }
        let given = try engine.devices.indices.map { device in
            let own = rows.indices.filter { $0 % engine.devices.count == device }.map { rows[$0] }
            return try arguments(of: part, inputs, shard: 0, device: device, rows: own)
        }
        let runs = try engine.runTogether(part.executable, given, outputs: part.text.results.count)
        for (device, run) in runs.enumerated() {
            _ = try take(run, of: part, key, results, shard: 0, device: device)
        }
    }

    private func arguments(
        of part: Part, _ inputs: StepInputs, shard: Int, device: Int, rows: [PJRTBuffer]
    ) throws -> [PJRTBuffer] {
        try part.text.arguments.map { argument in
            if case .row(let shard) = argument { return rows[shard] }
            return try buffer(argument, inputs, shard: shard, device: device)
        }
    }

    /// - Returns: the shard's row, if the part gives one.
    @discardableResult
    private func runPart(
        _ key: PartKey, _ inputs: StepInputs, _ results: Results, shard: Int, device: Int, rows: [PJRTBuffer] = []
    ) throws -> PJRTBuffer? {
        // Nothing is asked of a backward pass without gradients.
        guard !key.phases.isEmpty || key.role == .exchange, let part = try part(key) else { return nil }
        let given = try arguments(of: part, inputs, shard: shard, device: device, rows: rows)
        let run = try engine.run(part.executable, given, outputs: part.text.results.count, on: device)
        return try take(run, of: part, key, results, shard: shard, device: device)
    }

    /// Puts what a run on a device gave where it belongs.
    private func take(
        _ run: (outputs: [PJRTBuffer], event: PJRTEvent), of part: Part, _ key: PartKey, _ results: Results, shard: Int,
        device: Int
    ) throws -> PJRTBuffer? {
        underWay[underWay.count - 1].append(run.event)
        var row: PJRTBuffer?
        for (result, output) in zip(part.text.results, run.outputs) {
            switch result {
            case .stored(let id): try array(id).replace(output, on: device)
            case .carried(let id): if device == 0 || key.role == .shard { carried[shard][id] = output }
            case .row: row = output
            case .plain(let id): if device == 0 || shard > 0 { results.add(output, id, shard: shard) }
            }
        }
        return row
    }

    private func array(_ id: Program.ValueID) throws -> XLAArray {
        guard let array = try store.array(program.values[id]) as? XLAArray else {
            throw AnnealError(
                "parameter \(program.values[id].name)", "lies in the memory of another engine",
                suggestion: "make a store for each", code: .internalDefect)
        }
        return array
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
        case .row(let shard): throw AnnealError("row \(shard)", "is not there", code: .internalDefect)
        case .random:
            let samples = shard * (program.mode == .training ? shardProgram : program).rows
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

    private func missing(_ id: Program.ValueID) -> AnnealError {
        AnnealError(
            "value \(program.values[id].name)", "is read before a pass has computed it",
            suggestion: "run the forward pass first", code: .internalDefect)
    }

    // MARK: Parts

    /// - Returns: nil if it gives nothing.
    private func part(_ key: PartKey) throws -> Part? {
        if let known = parts[key] { return known }
        let isTogether = key.role == .exchange && engine.reducesTogether
        let writer = PartWriter(
            shardProgram, key, precision: precision, shards: shards,
            reducing: isTogether ? engine.devices.count : 1, usesTF32: engine.options.usesTF32,
            reproducesMXNetDefects: engine.reproducesMXNetDefects)
        let text = try writer.write(carried: carried(after: key))
        guard !text.results.isEmpty else { return nil }
        let made = Part(executable: try engine.compile(text.module, name(of: key), isTogether: isTogether), text: text)
        parts[key] = made
        return made
    }

    /// What a part is, for messages.
    private func name(of key: PartKey) -> String {
        let phases = key.phases
        if key.role == .exchange { return "exchange and update" }
        if program.mode == .inference { return "forward pass" }
        if phases.contains([.forward, .backward]) { return "training step" }
        if phases.contains(.forward) { return "forward pass" }
        if phases.contains(.backward) { return "backward pass" }
        return phases.contains(.update) ? "update" : "program of averages and states"
    }

    /// Values that a part must leave: those that later phases of a step read, and gradients that can be asked for.
    private func carried(after key: PartKey) -> Set<Program.ValueID> {
        let phases = key.phases
        // What a shard leaves for the update is its row.
        if key.role == .exchange { return keepsGradients ? Set(program.gradients.values) : [] }
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

    // MARK: Reading

    func read(_ id: Program.ValueID) throws -> Tensor {
        let value = program.values[id]
        if let results, results.has(id) { return Tensor(value.shape, Array(try results.copy(id))) }
        if let buffer = carried[0][id] {
            return Tensor(value.shape, HostOrder.plain(try engine.download(buffer, value.shape.count), value.shape))
        }
        guard value.kind != .temporary else { throw missing(id) }
        if value.kind == .input {
            guard let fed, fed.scalings[id] == nil else { throw missing(id) }
            return Tensor(value.shape, Array(fed.floats(id)))
        }
        return try store.array(value).read()
    }

    var plannedBytes: Int { parts.values.compactMap { $0.executable.temporaryBytes() }.max() ?? 0 }
    /// Arrays are in the device's memory.
    var memoryNeed: MemoryNeed { MemoryNeed() }
}
