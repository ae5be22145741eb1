import AnnealCore
import AnnealGraph

/// A network whose batches are computed shard by shard, by one or several workers.
///
/// A pass runs each shard's forward and backward pass, one after another on a worker's device, and sums gradients and
/// moving statistics in the tree of the shards (`SumTree`), first within a worker, then over workers, then over
/// processes. The first worker's plan receives the sums in place of its own gradients and runs the phases after them.
/// All processes do this alike, so that their parameters stay equal.
final class ShardedPlan: ExecutablePlan {
    /// The program of a shard, with inputs as this process fills them and outputs of the whole batch.
    let program: Program
    /// A step's updates are done when the next step needs what they change (`LateStep`).
    let isLate: Bool
    var isImmediate: Bool { !isLate }
    let shards: Shards
    let engine: ShardedEngine
    private let store: ParameterStore
    let workers: [ShardWorker]
    /// The rows that this process computes.
    private let ownRows: Range<Int>
    private(set) var inputs: [Program.ValueID: RowBlock] = [:]
    /// Outputs, and labels, of the whole batch.
    private(set) var results = RowBlocks()
    let sum: StepSum?
    private let isTraining: Bool
    /// The timing of the exchange between processes.
    var exchange: Result<Void, any Error> = .success(())
    var exchanges: [BucketTime] = []
    /// A step whose passes are done and whose updates may not be.
    var open: LateStep?
    /// The updates of groups of gradients that arrive late, and the steps of a plan before which they must be done.
    private(set) lazy var updateParts = UpdatePart.parts(of: workers[0].main, sum?.bucketOfValue ?? [:])
    private var gates: [ObjectIdentifier: UpdateGates] = [:]

    init(_ request: PlanRequest, _ shards: Shards, store: ParameterStore, engine: ShardedEngine) throws {
        self.shards = shards
        self.engine = engine
        self.store = store
        isTraining = request.mode == .training
        let own = engine.ownShards(of: shards.count)
        ownRows = shards.rows(of: own)
        workers = try Self.makeWorkers(request, shards, own, store, engine)
        let main = workers[0].main
        if engine.devices.count > 1 { main.updateThreads = engine.devices.count * engine.pool }
        // The first process saves all residuals.
        let residuals = engine.group?.rank == 0 ? 0..<shards.count : own
        sum = isTraining ? try StepSum(main, shards: residuals, store: store, engine: engine) : nil
        isLate = main.program.holdsGradients
        if let sum, let group = engine.group, Set(shards.rows.map(\.count)).count > 1 {
            try Self.checkLayouts(sum, shards, group, engine)
        }

        var program = main.program
        let names = try Self.labelNames(request)
        let rows = main.program.rows
        for (id, value) in program.values.enumerated() where value.kind == .input {
            inputs[id] = try RowBlock(rows: ownRows.count, shape: value.shape)
            if names.contains(value.name) {
                results.labels[id] = try RowBlock(rows: shards.batch, shape: value.shape)
            }
            program.values[id].shape[0] = ownRows.count
        }
        for id in program.outputs {
            guard let first = program.values[id].shape.dims.first, first == rows else {
                throw AnnealError(
                    "output \(program.values[id].name)",
                    "has the shape \(program.values[id].shape): it is of no sample, and shards cannot share it",
                    suggestion: "without --shards and on one device it runs", code: .unsupported)
            }
            results.outputs[id] = try RowBlock(rows: shards.batch, shape: program.values[id].shape)
            program.values[id].shape[0] = shards.batch
        }
        self.program = program
    }

    /// Processes whose shards have different sizes may prefer different layouts for the same weights.
    private static func checkLayouts(
        _ sum: StepSum, _ shards: Shards, _ group: any ProcessGroup, _ engine: ShardedEngine
    ) throws {
        let all = try group.gather(sum.fingerprint(engine.devices[0]), purpose: "layouts of gradients")
        guard Set(all).count > 1 else { return }
        throw AnnealError(
            "a batch of \(shards.batch) in \(shards.count) shards",
            "has shards of different sizes, for which this processor's kernels want weights in different layouts",
            suggestion: "use a batch that is a multiple of \(shards.count)", code: .unsupported)
    }

    private static func labelNames(_ request: PlanRequest) throws -> Set<String> {
        guard case .network(let symbol, _, _) = request.source else { return [] }
        return Set(try symbol.labelNames())
    }

    private static func makeWorkers(
        _ request: PlanRequest, _ shards: Shards, _ own: Range<Int>, _ store: ParameterStore, _ engine: ShardedEngine
    ) throws -> [ShardWorker] {
        let ranges = engine.devices.indices.map { device in
            let range = Shards.range(of: device, workers: engine.devices.count, count: own.count)
            return (range.lowerBound + own.lowerBound)..<(range.upperBound + own.lowerBound)
        }
        var workers: [ShardWorker] = []
        for (device, range) in ranges.enumerated() where !range.isEmpty {
            // Moving statistics are each worker's own in training.
            let shared =
                workers.isEmpty || request.mode == .inference ? store : ParameterStore(sharing: store)
            workers.append(
                try ShardWorker(
                    range, of: shards, store: shared, engine: engine.devices[device],
                    thread: workers.isEmpty ? nil : engine.threads[device]
                ) { request.sharedShard(rows: $0) })
        }
        guard !workers.isEmpty else {
            throw AnnealError(
                "batch size \(shards.batch)", "gives this process no row", suggestion: "use fewer processes")
        }
        return workers
    }

    // MARK: Inputs and results

    func input(_ name: String) -> UnsafeMutableBufferPointer<Float>? {
        guard let id = program.values.firstIndex(where: { $0.kind == .input && $0.name == name }) else { return nil }
        return inputs[id]?.buffer
    }

    func read(_ id: Program.ValueID) throws -> Tensor {
        try settle()
        if let block = results.outputs[id] ?? inputs[id] {
            return Tensor(program.values[id].shape, Array(block.buffer))
        }
        return try workers[0].main.read(id)
    }

    // MARK: Runs

    func run(_ phases: Phases, _ inputs: StepInputs) throws -> any StepResults {
        if isLate, phases.isSuperset(of: [.forward, .backward, .update]) { return try runLate(phases, inputs) }
        try settle()
        let main = workers[0].main
        var rest = phases.subtracting([.forward, .backward])
        if phases.contains(.backward) {
            try runPasses(inputs)
        } else if phases.contains(.forward) {
            try forEachShard { worker, shard, plan in
                try plan.run(.forward, inputs.starting(at: self.shards.rows[shard].lowerBound))
                try self.take(shard, plan)
            }
            try gather()
        }
        if rest.contains(.check) {
            // A step's loss is finite only if every shard's is.
            if !results.areFinite { try main.spoilOutput() }
            try main.run(.check, inputs)
            rest.remove(.check)
        }
        if !rest.isEmpty { try main.run(rest, inputs) }
        for worker in workers { worker.endStep() }
        if phases != .forward { store.noteChange() }
        return self
    }

    func forEachWorker(_ body: @escaping (ShardWorker) throws -> Void) throws {
        for worker in workers.dropFirst() { worker.start { try body(worker) } }
        workers[0].start { try body(self.workers[0]) }
        var failure: (any Error)?
        // All must have ended before an error is thrown.
        for worker in workers {
            do { try worker.wait() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private func forEachShard(_ body: @escaping (ShardWorker, Int, KernelPlan) throws -> Void) throws {
        try forEachWorker { worker in
            for shard in worker.shards {
                let plan = try worker.plan(of: self.shards.rows[shard].count)
                try self.feed(shard, plan)
                try body(worker, shard, plan)
            }
        }
    }

    /// Copies a shard's rows of the inputs to a plan.
    func feed(_ shard: Int, _ plan: KernelPlan) throws {
        let rows = shards.rows[shard]
        for (id, block) in inputs {
            let place: UnsafeMutableBufferPointer<Float>? = plan.input(program.values[id].name)
            guard let target = place else { continue }
            let start = (rows.lowerBound - ownRows.lowerBound) * block.width
            _ = target.update(from: block.buffer[start..<(start + rows.count * block.width)])
        }
    }

    /// Copies a shard's rows of the outputs from a plan.
    func take(_ shard: Int, _ plan: KernelPlan) throws {
        for (index, id) in program.outputs.enumerated() {
            guard let block = results.outputs[id] else { continue }
            let target = block.memory.base + shards.rows[shard].lowerBound * block.width
            if let source = plan.output(index), let base = source.baseAddress {
                target.update(from: base, count: source.count)
            } else {
                let tensor = try plan.read(plan.program.outputs[index])
                target.update(from: tensor.elements, count: tensor.count)
            }
        }
    }

    /// Gathers the outputs and labels of the whole batch in every process.
    func gather() throws {
        takeLabels()
        try gather(results)
    }

    /// Copies this process's labels to their place in the batch.
    private func takeLabels() {
        for (id, block) in results.labels {
            guard let own = inputs[id] else { continue }
            (block.memory.base + ownRows.lowerBound * block.width).update(from: own.memory.base, count: own.count)
        }
    }

    func gather(_ results: RowBlocks) throws {
        guard engine.group != nil else { return }
        // In the same order in all processes.
        let labels = results.labels.sorted { $0.key < $1.key }.map(\.value)
        for block in labels + program.outputs.compactMap({ results.outputs[$0] }) {
            let own = block.buffer[(ownRows.lowerBound * block.width)..<(ownRows.upperBound * block.width)]
            try engine.gather(
                UnsafeBufferPointer(rebasing: own), batch: shards.batch, into: block.buffer)
        }
    }

    /// Makes room for a step's results while those of the previous step are still being read.
    func renewResults() throws {
        func renewed(_ blocks: [Program.ValueID: RowBlock]) throws -> [Program.ValueID: RowBlock] {
            try blocks.mapValues { block in
                try RowBlock(rows: shards.batch, shape: Shape([shards.batch, block.width]))
            }
        }
        results = RowBlocks(outputs: try renewed(results.outputs), labels: try renewed(results.labels))
        takeLabels()
    }

    /// What must be done before each step of a plan.
    func gates(of plan: KernelPlan) -> UpdateGates {
        let id = ObjectIdentifier(plan)
        if let known = gates[id] { return known }
        let made = UpdateGates(updateParts, plan)
        gates[id] = made
        return made
    }

    func settle() throws { try open?.settle() }

    func collectStates() throws {
        try settle()
        if let group = engine.group { try sum?.collect(shards.count, group) }
    }

    // MARK: Costs

    /// The first worker's operations and sums, and those of all workers unless another thread computes them
    /// (`exchanges`).
    var around: ((_ operation: Int, _ run: () -> Void) -> Void)? {
        get { workers[0].main.around }
        set {
            workers[0].main.around = newValue
            let number = workers[0].main.steps.count
            let aroundSum = newValue.map { around in { run in around(number, run) } as ShardSum.Around }
            workers[0].aroundSum = aroundSum
            if engine.exchangeThread == nil { sum?.aroundSum = aroundSum }
        }
    }
    /// Of the first worker's last shard.
    func outputs(of operation: Int) throws -> [(name: String, values: Tensor)] {
        try workers[0].main.outputs(of: operation)
    }
    var plannedBytes: Int { workers.flatMap(\.allPlans).reduce(0) { $0 + $1.plannedBytes } + (sum?.bytes ?? 0) }
    var memoryNeed: MemoryNeed {
        workers.flatMap(\.allPlans).reduce(into: MemoryNeed()) { $0.add($1.memoryNeed) }
    }
    /// The first worker's, and the addition of two shards' results.
    var operations: [OperationCost] {
        guard let sum, shards.count > 1 else { return workers[0].main.operations }
        let count = Double(sum.layout.counts.reduce(0, +))
        let addition = OperationCost(
            layer: "gradients", kind: "sum over shards", phase: .exchange, flops: count,
            bytes: 3 * count * Double(MemoryLayout<Float>.size))
        return workers[0].main.operations + [addition]
    }
}

extension Executor {
    /// The bytes of gradients that are complete after each operation, by its number, on engines made of kernels.
    package var gradientBytes: [Int: Int] {
        guard let plan = (plan as? ShardedPlan)?.workers[0].main ?? kernelPlan else { return [:] }
        var bytes: [Int: Int] = [:]
        for id in Set(plan.program.gradients.values) {
            guard let step = plan.lastSteps[id] else { continue }
            bytes[step, default: 0] += MemoryLayout<Float>.size * plan.program.values[id].shape.count
        }
        return bytes
    }
}

/// The last run's, until the next one.
extension ShardedPlan: StepResults {
    func output(_ index: Int) throws -> UnsafeBufferPointer<Float>? {
        guard program.outputs.indices.contains(index) else { return nil }
        return results.outputs[program.outputs[index]].map { UnsafeBufferPointer($0.buffer) }
    }

    func input(_ name: String) throws -> UnsafeBufferPointer<Float>? {
        guard let id = program.values.firstIndex(where: { $0.kind == .input && $0.name == name }) else { return nil }
        return (results.labels[id] ?? inputs[id]).map { UnsafeBufferPointer($0.buffer) }
    }

    func flags(_ check: Int) throws -> UnsafeBufferPointer<Float> { try workers[0].main.flags(check) }
}

extension PlanRequest {
    /// The request for a shard with a number of rows, if several plans share the work on a batch.
    fileprivate func sharedShard(rows: Int) -> PlanRequest {
        var request = shard(rows: rows)
        // Sums over all shards come first.
        request.update?.keepsGradients = true
        // Several plans fold batch norm into the same weights.
        request.keepsParameters = true
        return request
    }
}

extension StepInputs {
    func starting(at sample: Int) -> StepInputs {
        var inputs = self
        inputs.firstSample = sample
        return inputs
    }
}
