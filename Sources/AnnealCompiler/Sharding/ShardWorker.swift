import AnnealCore
import AnnealGraph

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

    /// Sums of the last pass: of the largest nodes of the tree that are its own.
    private(set) var sums: [ShardSum] = []

    /// Runs all its shards, and adds up what each leaves.
    /// - Parameters:
    ///   - count: shards of all workers.
    ///   - run: runs a shard, and gives the pieces that it leaves in its plan's memory.
    func addUp(_ layout: PieceLayout, of count: Int, _ run: (Int) throws -> [UnsafeMutablePointer<Float>]) throws {
        for sum in sums { if let block = sum.block { freeBlocks.append(block) } }
        sums = []
        for node in SumTree.nodes(within: shards, of: count) { sums.append(try sum(node, layout, run)) }
    }

    private func sum(
        _ node: Range<Int>, _ layout: PieceLayout, _ run: (Int) throws -> [UnsafeMutablePointer<Float>]
    ) throws -> ShardSum {
        guard node.count > 1 else {
            try clearPlans(layout)
            let sum = ShardSum(node, try run(node.lowerBound))
            inPlan = sum
            return sum
        }
        let (left, right) = SumTree.children(node)
        let a = try sum(left, layout, run), b = try sum(right, layout, run)
        let both = a.adding(b, layout)
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
}
