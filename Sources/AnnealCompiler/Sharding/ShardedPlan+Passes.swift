import AnnealCore
import Foundation

/// Forward and backward passes of all shards, and the exchange of their results.
///
/// With several processes, a separate thread sums the buckets of gradients (`StepSum`) as the backward passes of the
/// workers' last shards complete them. The sums do not depend on the timing.
extension ShardedPlan {
    /// Runs all shards of this process, and stores the sums over all processes in the first worker's plan.
    func runPasses(_ inputs: StepInputs) throws {
        guard let sum else { return }
        sum.begin()
        exchanges = []
        guard let thread = engine.exchangeThread else {
            try forEachWorker { worker in
                try self.runPass(worker, sum, inputs)
                worker.merge(sum.layout, of: self.shards.count)
            }
            return try addUp(sum)
        }
        // Buckets are exchanged meanwhile. The thread has exclusive use of the group until `wait` returns.
        let shared = Handover((self, sum))
        thread.start { shared.value.0.exchange = Result { try shared.value.0.addUp(shared.value.1) } }
        let passes = Result { try forEachWorker { worker in try self.runPass(worker, sum, inputs) } }
        thread.wait()
        try passes.get()
        try exchange.get()
    }

    /// Runs a worker's shards.
    /// - Parameters:
    ///   - beforeStep: called before each step of a plan.
    ///   - onBucket: called before a bucket is reported as complete.
    func runPass(
        _ worker: ShardWorker, _ sum: StepSum, _ inputs: StepInputs,
        beforeStep: ((KernelPlan, Int) throws -> Void)? = nil, onBucket: @escaping () -> Void = {}
    ) throws {
        func planOf(_ shard: Int) throws -> KernelPlan { try worker.plan(of: shards.rows[shard].count) }
        try worker.pass(buckets: sum.buckets.count) { complete in
            try worker.addUp(sum.layout, of: shards.count, pieces: { try sum.pieces(of: planOf($0)) }) { shard in
                let plan = try planOf(shard)
                try feed(shard, plan)
                let pieces = try sum.pieces(of: plan), isLast = shard == worker.shards.last
                sum.giveStatistics(to: pieces)
                var left = sum.buckets[...]
                func finishBucket() {
                    sum.compress(left.removeFirst(), shard, pieces)
                    guard isLast else { return }
                    onBucket()
                    complete()
                }
                if isLast, engine.group != nil {
                    // The last bucket is complete when the outputs have been copied.
                    let completions = sum.completions(of: plan).dropLast()
                    plan.onStep = { step in
                        while left.startIndex < completions.endIndex, completions[left.startIndex] <= step {
                            finishBucket()
                        }
                    }
                }
                if let beforeStep { plan.beforeStep = { step in try beforeStep(plan, step) } }
                defer { (plan.onStep, plan.beforeStep) = (nil, nil) }
                try plan.run([.forward, .backward], inputs.starting(at: shards.rows[shard].lowerBound))
                try take(shard, plan)
                while !left.isEmpty { finishBucket() }
            }
        }
    }

    /// Sums the workers' results over all processes, each bucket as soon as all have it.
    private func addUp(_ sum: StepSum) throws {
        let own = engine.ownShards(of: shards.count)
        for (number, bucket) in sum.buckets.enumerated() {
            guard workers.allSatisfy({ $0.waitForBucket() }) else {
                throw AnnealError("shards \(own)", "have failed", code: .internalDefect)
            }
            let clock = ContinuousClock(), begin = clock.now
            try sum.finish(bucket, workers.flatMap(\.sums), own: own, of: shards.count, engine.group)
            if engine.group != nil {
                exchanges.append(
                    BucketTime(number: number, bytes: 4 * bucket.layout.total, begin: begin, end: clock.now))
            }
        }
        try gather()
    }
}
