import AnnealCore
import Foundation

/// A step of several processes whose passes are done, while sums of gradients are still being exchanged.
///
/// Each group of parameters is updated when its gradients have arrived and the next step's forward pass needs it, by
/// the thread that runs this pass; the rest when the backward pass begins, or when somebody reads results or
/// parameters. That changes the order of the work, but no bits.
final class LateStep: StepResults {
    let inputs: StepInputs
    let results: RowBlocks
    private let phases: Phases
    private unowned let plan: ShardedPlan
    let arrivals = BucketArrivals()
    private var isDone: [Bool]
    /// The flags of the checks, concatenated: the next step reuses the checks' own memory.
    private let flags: Arena
    private let flagOffsets: [Int]

    // Written by the exchange's thread, and read when that is done.
    var exchange: Result<Void, any Error> = .success(())
    var times: [BucketTime] = []
    var stops = false

    init(_ plan: ShardedPlan, _ phases: Phases, _ inputs: StepInputs) throws {
        self.plan = plan
        self.phases = phases.intersection([.check, .update])
        self.inputs = inputs
        results = plan.results
        isDone = plan.updateParts.map { _ in false }
        var offsets: [Int] = [], size = 0
        for check in plan.program.checks {
            offsets.append(size)
            size += check.subjects.count
        }
        flagOffsets = offsets
        flags = try Arena(max(1, size))
        for place in 0..<size { flags.base[place] = 1 }
    }

    /// Does what changes statistics: the next step starts from them.
    func finishStatistics() throws {
        for (number, part) in plan.updateParts.enumerated() where part.isOfStatistics { try require(number) }
        // Statistics that are neither checked nor averaged.
        if let sum = plan.sum {
            for (number, bucket) in sum.buckets.enumerated() where bucket.isStatistics { try wait(for: number) }
        }
    }

    /// Does what must be done before a step of the next pass.
    func pass(_ step: Int, _ gates: UpdateGates) throws {
        if step >= gates.backward { return try settle() }
        for number in gates.parts[step] { try require(number) }
    }

    /// Does everything that is left.
    func settle() throws {
        guard plan.open === self else { return }
        for number in plan.updateParts.indices { try require(number) }
        plan.engine.exchangeThread?.wait()
        try exchange.get()
        // A step's loss is finite only if every process's is.
        if !results.areFinite { noteBrokenLoss() }
        plan.exchanges = times
        plan.open = nil
    }

    private func require(_ number: Int) throws {
        guard !isDone[number] else { return }
        let part = plan.updateParts[number], main = plan.workers[0].main
        for bucket in part.buckets { try wait(for: bucket) }
        try main.run(steps: part.steps, phases, inputs)
        isDone[number] = true
        guard phases.contains(.check) else { return }
        for check in part.checks {
            let source = try main.flags(check)
            guard let base = source.baseAddress else { continue }
            (flags.base + flagOffsets[check]).update(from: base, count: source.count)
        }
    }

    private func wait(for bucket: Int) throws {
        guard !arrivals.wait(for: bucket) else { return }
        plan.engine.exchangeThread?.wait()
        try exchange.get()
        throw AnnealError("gradients", "have not come", code: .internalDefect)
    }

    private func noteBrokenLoss() {
        for (number, check) in plan.program.checks.enumerated() {
            for (place, subject) in check.subjects.enumerated() where subject == .loss {
                flags.base[flagOffsets[number] + place] = 0
            }
        }
    }

    // MARK: Results

    func output(_ index: Int) throws -> UnsafeBufferPointer<Float>? {
        try settle()
        guard plan.program.outputs.indices.contains(index) else { return nil }
        return results.outputs[plan.program.outputs[index]].map { UnsafeBufferPointer($0.buffer) }
    }

    func input(_ name: String) throws -> UnsafeBufferPointer<Float>? {
        try settle()
        guard let id = plan.program.input(name) else { return nil }
        return results.labels[id].map { UnsafeBufferPointer($0.buffer) }
    }

    func flags(_ check: Int) throws -> UnsafeBufferPointer<Float> {
        try settle()
        return UnsafeBufferPointer(
            start: flags.base + flagOffsets[check], count: plan.program.checks[check].subjects.count)
    }

    var carriesRequests: Bool { true }

    func isAskedToStop() throws -> Bool {
        try settle()
        return stops
    }
}

/// The buckets of a step that have been summed over all processes.
final class BucketArrivals {
    private let condition = NSCondition()
    private var arrived: Set<Int> = []
    private var isOver = false

    func note(_ bucket: Int) { change { arrived.insert(bucket) } }

    /// No more buckets will come.
    func end() { change { isOver = true } }

    private func change(_ body: () -> Void) {
        condition.lock()
        body()
        condition.broadcast()
        condition.unlock()
    }

    /// - Returns: false if it will not come.
    func wait(for bucket: Int) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while !arrived.contains(bucket), !isOver { condition.wait() }
        return arrived.contains(bucket)
    }
}
