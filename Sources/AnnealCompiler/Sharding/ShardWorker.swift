import AnnealCore
import AnnealGraph
import Foundation
import Synchronization

/// A device's part of a sharded plan: it runs its shards one after another and sums their results.
///
/// All workers share the parameters, and only read them during a pass. Each worker has its own moving statistics: batch
/// norm changes them within a pass, and each shard starts from those of the step before.
final class ShardWorker {
    let shards: Range<Int>
    /// For the first shard's size; in the first worker it also runs the phases after the gradients.
    let main: KernelPlan
    private let engine: any KernelEngine
    private let thread: DeviceThread?
    /// By the number of rows in a shard.
    private var plans: [Int: KernelPlan]
    private var freeBlocks: [Arena] = []
    var aroundSum: ShardSum.Around?

    /// - Parameters:
    ///   - thread: runs its shards; nil: the caller's thread.
    ///   - request: returns the request for a shard with a number of rows.
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

    /// Starts work on the device's thread; `wait` rethrows its error.
    func start(_ work: @escaping () throws -> Void) {
        guard let thread else {
            outcome = Result { try work() }
            return
        }
        // The thread has exclusive use of the worker until `wait` returns.
        let shared = Handover((self, work))
        thread.start { shared.value.0.outcome = Result { try shared.value.1() } }
    }

    func wait() throws {
        thread?.wait()
        try outcome.get()
    }

    private var outcome: Result<Void, any Error> = .success(())

    /// Sums of the last pass. The last shard's is separate until they are merged.
    private(set) var sums: [ShardSum] = []
    /// The sums that hold blocks of memory.
    private var unmerged: [ShardSum] = []

    /// Runs all its shards and sums their results. The sums of all but the last shard are available before that is run.
    /// - Parameters:
    ///   - count: the number of shards of all workers.
    ///   - pieces: a shard's results in its plan's memory.
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

    /// Adds the last shard's sum to the others, as far as they belong to this worker.
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

    /// Discards the sum in a plan's memory, after it was used.
    func endStep() { inPlan = nil }

    // MARK: Buckets of the last shard

    private let completions = DispatchSemaphore(value: 0)
    var isBroken: Bool { broken.load(ordering: .acquiring) }
    private let broken = Atomic<Bool>(false)

    /// Runs a pass, and reports which buckets of the last shard are complete.
    /// - Parameter body: is passed a closure to call for each bucket, in order; buckets that are complete only at the
    ///   end may be omitted.
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

    /// Whether the pass's next bucket is already complete; if so, it is taken.
    func takeBucket() -> Bool { completions.wait(timeout: .now()) == .success }

    /// Waits for the next bucket of the pass, on another thread or after it.
    /// - Returns: false if the pass has failed.
    func waitForBucket() -> Bool {
        completions.wait()
        return !isBroken
    }
}
