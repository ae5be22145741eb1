import AnnealCore
import Foundation

/// Steps whose next forward pass waits only for the gradients of the layers that it has reached.
extension ShardedPlan {
    func runLate(_ phases: Phases, _ inputs: StepInputs) throws -> any StepResults {
        guard let sum, let thread = engine.exchangeThread else {
            throw AnnealError("step", "has no other process", code: .internalDefect)
        }
        let previous = open
        try previous?.finishStatistics()
        try renewResults()
        let step = try LateStep(self, phases, inputs)
        sum.begin()
        // The previous step's exchange is done before this one's first gradients exist.
        var isStarted = false
        func start() {
            guard !isStarted else { return }
            isStarted = true
            open = step
            // The thread has exclusive use of the group and this step's sums until `wait` returns.
            let shared = Handover((self, step, workers.flatMap(\.sums)))
            thread.start {
                let (plan, step, sums) = shared.value
                step.exchange = Result { try plan.exchangeByNeed(step, sum: sums) }
                step.arrivals.end()
            }
        }
        let worker = workers[0]
        let passes = Result {
            try runPass(
                worker, sum, inputs,
                beforeStep: { [self] plan, index in try previous?.pass(index, gates(of: plan)) }, onBucket: start)
        }
        do { try passes.get() } catch {
            // It is waiting for buckets of a pass that was abandoned.
            if isStarted { thread.wait() }
            throw error
        }
        worker.endStep()
        return step
    }

    /// Sums the buckets; if several are complete in all processes, those of the first layers first, since the next
    /// forward pass begins with them.
    private func exchangeByNeed(_ step: LateStep, sum sums: [ShardSum]) throws {
        guard let sum, let group = engine.group else { return }
        let own = engine.ownShards(of: shards.count), worker = workers[0], count = sum.buckets.count
        var complete = 0, everywhere = 0, isLeft = Array(repeating: true, count: count)
        let clock = ContinuousClock()
        for left in (1...max(1, count)).reversed() where count > 0 {
            while complete < count, !isLeft[..<complete].contains(true) || worker.takeBucket() {
                guard !isLeft[..<complete].contains(true) else {
                    complete += 1
                    continue
                }
                _ = worker.waitForBucket()
                complete += 1
            }
            guard !worker.isBroken else {
                throw AnnealError("shards \(own)", "have failed", code: .internalDefect)
            }
            if left == 1 {
                everywhere = count
            } else if everywhere < count {
                everywhere = try group.gather(complete, purpose: "complete gradients").min() ?? 0
            }
            guard let next = isLeft[..<everywhere].lastIndex(of: true) else {
                throw AnnealError("gradients", "are in no order", code: .internalDefect)
            }
            isLeft[next] = false
            let begin = clock.now
            try sum.finish(sum.buckets[next], sums, own: own, of: shards.count, group)
            step.times.append(
                BucketTime(
                    number: next, bytes: 4 * sum.buckets[next].layout.total, begin: begin, end: clock.now,
                    stepsAgo: 1))
            step.arrivals.note(next)
        }
        try gather(step.results)
        step.stops = try group.gather(step.inputs.asksToStop ? 1 : 0, purpose: "requests to stop").contains { $0 != 0 }
    }
}
