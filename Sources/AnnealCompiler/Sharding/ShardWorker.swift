import AnnealCore
import AnnealGraph
import Foundation
import Synchronization

/// A device's part of a sharded plan: it runs its shards one after the other and adds up what they give.
///
/// Parameters are shared by all workers, which only read them during a pass. Moving statistics are each worker's own: batch
/// norm moves them within a pass, and each shard starts from those of the step before.
final class ShardWorker {
    let shards: Range<Int>
    /// Of the first shard's size: it also runs what follows the gradients, in the first worker.
    let main: KernelPlan
    private let engine: any KernelEngine
    private let thread: DeviceThread?
    /// By rows of a shard.
    private var plans: [Int: KernelPlan]
    private var freeBlocks: [Arena] = []
    var aroundSum: ShardSum.Around?

    /// - Parameters:
    ///   - thread: runs its shards; nil: that of the caller.
    ///   - request: gives the request for a shard of so many rows.
    init(
        _ shards: Range<Int>, of all: Shards, store: ParameterStore, engine: any KernelEngine, thread: DeviceThread?,
        request: (Int) throws -> PlanRequest
    ) throws {
        self.shards = shards
        self.engine = engine
        self.thread = thread
        var plans: [Int: KernelPlan] = [:]
        for shard in shards {
            let rows = all.rows[shard].count
            if plans[rows] == nil { plans[rows] = try KernelPlan(request(rows), store: store, engine: engine) }
        }
        guard let first = shards.first, let main = plans[all.rows[first].count] else {
            throw AnnealError("shards \(shards)", "are none", code: .internalDefect)
        }
        self.plans = plans
        self.main = main
    }

    func plan(of rows: Int) throws -> KernelPlan {
        guard let plan = plans[rows] else {
            throw AnnealError("a shard of \(rows) rows", "has no plan", code: .internalDefect)
        }
        return plan
    }

    var allPlans: [KernelPlan] { Array(plans.values) }

    // MARK: Work

    /// Starts some work on the device's thread; `wait` gives what it threw.
    func start(_ work: @escaping () throws -> Void) {
        guard let thread else {
            outcome = Result { try work() }
            return
        }
        // The thread has the worker to itself until `wait` returns.
        let shared = Handover((self, work))
        thread.start { shared.value.0.outcome = Result { try shared.value.1() } }
    }

    func wait() throws {
        thread?.wait()
        try outcome.get()
    }

    private var outcome: Result<Void, any Error> = .success(())

    /// Sums of the last pass. Until they are merged, the last shard's is one by itself.
    private(set) var sums: [ShardSum] = []
    /// Those that hold blocks of memory.
    private var unmerged: [ShardSum] = []

    /// Runs all its shards, and adds up what each leaves. Before the last shard is run, the sums of the others are there.
    /// - Parameters:
    ///   - count: shards of all workers.
    ///   - pieces: what a shard leaves in its plan's memory.
    ///   - run: runs a shard.
    func addUp(
        _ layout: PieceLayout, of count: Int, pieces: (Int) throws -> [UnsafeMutablePointer<Float>],
        _ run: (Int) throws -> Void
    ) throws {
        freeBlocks += unmerged.compactMap(\.block)
        unmerged = []
        let last = shards.upperBound - 1
        for node in SumTree.nodes(within: shards.lowerBound..<last, of: count) {
            unmerged.append(try sum(node, layout, pieces, run))
        }
        unmerged.append(try leaf(last, layout, pieces))
        sums = unmerged
        try run(last)
    }

    /// Adds the last shard's sum to the others, as far as they are this worker's.
    func merge(_ layout: PieceLayout, of count: Int) {
        sums = SumTree.nodes(within: shards, of: count).compactMap { node in
            SumTree.sum(
                node, known: { known in unmerged.first { $0.node == known } },
                add: { $0.adding($1, layout, aroundSum) })
        }
    }

    private func leaf(
        _ shard: Int, _ layout: PieceLayout, _ pieces: (Int) throws -> [UnsafeMutablePointer<Float>]
    ) throws -> ShardSum {
        try clearPlans(layout)
        let sum = ShardSum(shard..<(shard + 1), try pieces(shard))
        inPlan = sum
        return sum
    }

    private func sum(
        _ node: Range<Int>, _ layout: PieceLayout, _ pieces: (Int) throws -> [UnsafeMutablePointer<Float>],
        _ run: (Int) throws -> Void
    ) throws -> ShardSum {
        guard node.count > 1 else {
            let sum = try leaf(node.lowerBound, layout, pieces)
            try run(node.lowerBound)
            return sum
        }
        let (left, right) = SumTree.children(node)
        let a = try sum(left, layout, pieces, run), b = try sum(right, layout, pieces, run)
        let both = a.adding(b, layout, aroundSum)
        if let block = b.block { freeBlocks.append(block) }
        if inPlan === a { inPlan = both } else if inPlan === b { inPlan = nil }
        return both
    }

    /// The sum that is still in a plan's memory.
    private var inPlan: ShardSum?

    private func clearPlans(_ layout: PieceLayout) throws {
        guard let sum = inPlan, sum.block == nil else { return }
        sum.move(to: try freeBlocks.popLast() ?? engine.allocate(layout.total), layout)
        inPlan = nil
    }

    /// Forgets the sum that is in a plan's memory: it has been used.
    func endStep() { inPlan = nil }

    // MARK: Buckets of the last shard

    private let completions = DispatchSemaphore(value: 0)
    var isBroken: Bool { broken.load(ordering: .acquiring) }
    private let broken = Atomic<Bool>(false)

    /// Runs a pass, and tells which buckets of the last shard are complete.
    /// - Parameter body: is given a closure to call for each bucket, in order, and need not call it for those that are complete
    ///   at the end.
    func pass(buckets: Int, _ body: (_ complete: @escaping () -> Void) throws -> Void) throws {
        var left = buckets
        let complete: () -> Void = { [completions] in
            left -= 1
            completions.signal()
        }
        broken.store(false, ordering: .releasing)
        // Nobody may wait for ever.
        defer { while left > 0 { complete() } }
        do { try body(complete) } catch {
            broken.store(true, ordering: .releasing)
            throw error
        }
    }

    /// Whether the next bucket of the pass is complete already: then it is taken.
    func takeBucket() -> Bool { completions.wait(timeout: .now()) == .success }

    /// Waits for the next bucket of the pass, on another thread or after it.
    /// - Returns: false if the pass has failed.
    func waitForBucket() -> Bool {
        completions.wait()
        return !isBroken
    }
}
