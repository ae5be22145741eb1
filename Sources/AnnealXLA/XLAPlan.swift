import AnnealCompiler
import AnnealCore
import AnnealGraph

/// A network on an accelerator: an executable for each part of a step, compiled when it is first needed.
final class XLAPlan: ExecutablePlan {
    /// The program of the batch, with inputs as this process fills them.
    let program: Program
    let isImmediate = false
    /// The operations of an executable do not run one by one.
    var around: ((_ operation: Int, _ run: () -> Void) -> Void)?

    let engine: XLAEngine
    let store: ParameterStore
    let precision: ElementType
    /// The program of a shard: that of the batch, with which it shares values, but with fewer samples.
    let shardProgram: Program
    let shards: Int
    /// The shards that this process computes.
    let own: Range<Int>
    /// Whether gradients can be read after a backward pass.
    let keepsGradients: Bool
    private let isOfParameters: Bool
    var parts: [PartKey: Part] = [:]
    /// Inputs of the next forward pass, those of the last one, and earlier ones whose memory can be reused.
    private var next: Staging?
    private(set) var fed: Staging?
    private var free: [Staging] = []
    /// Results that parts of the step have left for later ones, by this process's shards.
    private(set) var carried: [[Program.ValueID: PJRTBuffer]] = []
    private var results: Results?
    /// The events of the last two steps: at most two are in progress.
    private var underWay: [[PJRTEvent]] = []
    private let labels: [Program.ValueID]
    private var sums: [PartWriter.RowLayout: HostSum] = [:]
    private(set) var exchanges: [BucketTime] = []

    struct Part {
        let executable: PJRTExecutable
        let text: PartWriter.Text
    }

    init(_ request: PlanRequest, store: ParameterStore, engine: XLAEngine) throws {
        self.engine = engine
        self.store = store
        precision = request.precision
        keepsGradients = request.update?.keepsGradients ?? true
        if case .parameters = request.source { isOfParameters = true } else { isOfParameters = false }
        let programs = try ShardPrograms(request, shards: engine.shards, isOfAll: engine.group != nil)
        (shards, shardProgram) = (programs.shards, programs.shard)
        own = shards == 1 ? 0..<1 : engine.ownShards
        program = programs.batch(of: own)
        labels = try engine.group == nil ? [] : programs.labels(request)
        carried = Array(repeating: [:], count: own.count)
        try store.adopt(program.stored(in: try request.storedNames())) { values in
            values.map { XLAArray($0.shape, engine: engine) }
        }
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

    /// Memory for the next forward pass; not that of an earlier pass whose results are still held.
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
        exchanges = []
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
        let keys = keys(phases, inputs.merge, pixels: next?.scalings ?? [:])
        let parts = try keys.map(part)
        guard isShared(phases), keys.count > 1, let row = parts[0]?.text.row else { return }
        for rows in rowsOfSums { _ = try part(.sum(rows: rows, elements: row.elements)) }
    }

    /// Whether the shards of a batch run separate parts in these phases.
    private func isShared(_ phases: Phases) -> Bool {
        shards > 1 && (program.mode == .inference || !phases.isDisjoint(with: [.forward, .backward, .check]))
    }

    /// The parts that run the given phases, in order.
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
            return [shard, key(phases.intersection(sums.union(.check)), .update)]
        }
        // Accumulation over batches has a separate executable: the order of the sums changes from batch to batch.
        return phases.contains(.accumulate)
            ? [key(phases.subtracting(sums)), key(phases.intersection(sums))] : [key(phases)]
    }

    /// What needs no shard's data is done alike on every device.
    private func runEverywhere(_ key: PartKey, _ inputs: StepInputs, _ results: Results) throws {
        for device in engine.devices.indices {
            try runPart(key, inputs, results, shard: 0, device: device)
        }
    }

    /// - Parameter keys: a shard's part and, if there is one, the part after the sum, which runs on every device.
    private func runShards(_ keys: [PartKey], _ inputs: StepInputs, _ results: Results) throws {
        let devices = engine.devices.count
        let rows = try own.compactMap { shard in
            let place = shard - own.lowerBound
            return try runPart(keys[0], inputs, results, shard: place, device: place % devices)
        }
        if let group = engine.group, keys[0].phases.contains(.forward) {
            try results.gather(labels, Shards(batch: shards * shardProgram.samples, count: shards), group)
        }
        guard keys.count > 1, !rows.isEmpty, let layout = try part(keys[0])?.text.row else { return }
        let sums = try sum(rows, layout)
        for device in engine.devices.indices {
            try runPart(keys[1], inputs, results, shard: 0, device: device, rows: [sums[device]])
        }
    }

    // MARK: Sums over shards

    /// The number of rows in each sum that is computed on a device.
    private var rowsOfSums: Set<Int> {
        if engine.reducesTogether { return [shards / engine.devices.count] }
        guard engine.group != nil else { return [shards] }
        return Set(SumTree.nodes(within: own, of: shards).map(\.count).filter { $0 > 1 })
    }

    /// Sums the rows of all shards, in their tree.
    /// - Parameter rows: rows of this process's shards, on their devices.
    /// - Returns: the sum, on each device.
    private func sum(_ rows: [PJRTBuffer], _ layout: PartWriter.RowLayout) throws -> [PJRTBuffer] {
        let devices = engine.devices.indices
        if let group = engine.group { return try sum(rows, layout, over: group) }
        if engine.reducesTogether {
            let own = devices.map { device in rows.indices.filter { $0 % devices.count == device }.map { rows[$0] } }
            guard let part = try part(.sum(rows: own[0].count, elements: layout.elements)) else { return [] }
            return try engine.runTogether(part.executable, own, outputs: 1).flatMap { run in
                underWay[underWay.count - 1].append(run.event)
                return run.outputs
            }
        }
        return try devices.map { try sum(rows, 0..<rows.count, layout, on: $0) }
    }

    /// Sums some rows on a device.
    private func sum(
        _ rows: [PJRTBuffer], _ range: Range<Int>, _ layout: PartWriter.RowLayout, on device: Int
    ) throws -> PJRTBuffer {
        let here = try range.map { shard in
            shard % engine.devices.count == device ? rows[shard] : try rows[shard].copied(to: engine.devices[device])
        }
        guard let part = try part(.sum(rows: here.count, elements: layout.elements)) else { throw missing(0) }
        let run = try engine.run(part.executable, here, outputs: 1, on: device)
        underWay[underWay.count - 1].append(run.event)
        return run.outputs[0]
    }

    /// Sums the rows of all processes in host memory, after each process has summed its own on its first device.
    private func sum(
        _ rows: [PJRTBuffer], _ layout: PartWriter.RowLayout, over group: any ProcessGroup
    ) throws -> [PJRTBuffer] {
        let nodes = SumTree.nodes(within: own, of: shards)
        let partial = try nodes.map { node in
            let range = (node.lowerBound - own.lowerBound)..<(node.upperBound - own.lowerBound)
            return range.count == 1 ? rows[range.lowerBound] : try sum(rows, range, layout, on: 0)
        }
        let host = try sums[layout] ?? HostSum(layout, nodes: nodes, group, engine.compression)
        sums[layout] = host
        let clock = ContinuousClock(), downloads = try host.download(partial)
        for event in downloads { try event.wait() }
        let begin = clock.now
        let total = try host.add(of: shards)
        exchanges = [BucketTime(bytes: 4 * layout.elements, begin: begin, end: clock.now)]
        return try engine.devices.indices.map { device in
            try engine.upload(UnsafeRawBufferPointer(total), .f32, [layout.elements], to: device)
        }
    }

    /// - Returns: the shard's row, if the part returns one.
    @discardableResult
    private func runPart(
        _ key: PartKey, _ inputs: StepInputs, _ results: Results, shard: Int, device: Int, rows: [PJRTBuffer] = []
    ) throws -> PJRTBuffer? {
        // A backward pass without gradients computes nothing.
        guard !key.phases.isEmpty || key.role == .update, let part = try part(key) else { return nil }
        let given = try arguments(of: part, inputs, shard: shard, device: device, rows: rows)
        let run = try engine.run(part.executable, given, outputs: part.text.results.count, on: device)
        return try take(run, of: part, key, results, shard: shard, device: device)
    }

    /// Stores the results of a run.
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

    func array(_ id: Program.ValueID) throws -> XLAArray {
        guard let array = try store.array(program.values[id]) as? XLAArray else {
            throw AnnealError(
                "parameter \(program.values[id].name)", "lies in the memory of another engine",
                suggestion: "make a store for each", code: .internalDefect)
        }
        return array
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
