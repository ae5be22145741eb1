import AnnealCompiler

/// Records when each operation of some steps began and how long it took.
///
/// Set it in a trainer (`Trainer.timeline`), or watch an executor with `around`. Outside of its steps it costs a
/// closure call per operation.
package final class Timeline {
    /// One execution of an operation.
    package struct Span: Sendable {
        package var operation: OperationCost
        /// Counted from the first step that the timeline saw.
        package var step: Int
        /// Since the timeline was created.
        package var begin: Duration
        package var duration: Duration
        package var end: Duration { begin + duration }

        package init(_ operation: OperationCost, step: Int, begin: Duration, duration: Duration) {
            self.operation = operation
            self.step = step
            self.begin = begin
            self.duration = duration
        }
    }

    /// In order of time; none contains another.
    package private(set) var spans: [Span] = []
    /// When buckets of gradients were exchanged between processes, while operations ran.
    package private(set) var exchanges: [Span] = []
    private let recorded: Range<Int>
    private var step = 0
    private let clock = ContinuousClock()
    private let origin = ContinuousClock.now

    /// - Parameter steps: the steps to record; 0 is the first step after the timeline was set.
    package init(steps: Range<Int>) { recorded = steps }

    /// Whether all its steps are over.
    package var isComplete: Bool { step >= recorded.upperBound }

    package func endStep() { step += 1 }

    package func add(_ exchanges: [BucketTime]) {
        for time in exchanges {
            let step = step - time.stepsAgo
            guard recorded.contains(step) else { continue }
            let operation = OperationCost(
                layer: "bucket \(time.number + 1)", kind: "exchange of gradients", phase: .exchange,
                bytes: Double(time.bytes))
            self.exchanges.append(
                Span(operation, step: step, begin: time.begin - origin, duration: time.end - time.begin))
        }
    }

    package func record<Result>(_ operation: OperationCost, _ body: () throws -> Result) rethrows -> Result {
        guard recorded.contains(step) else { return try body() }
        let begin = clock.now
        let result = try body()
        spans.append(Span(operation, step: step, begin: begin - origin, duration: clock.now - begin))
        return result
    }

    /// An executor of these operations calls this in place of its kernels.
    package func around(_ operations: [OperationCost]) -> (Int, () -> Void) -> Void {
        { [self] index, run in record(operations[index], run) }
    }
}

extension OperationCost {
    /// Waiting for the next batch.
    static let data = OperationCost(layer: "data", kind: "waiting for data", phase: .data)
    static let metrics = OperationCost(layer: "metrics", kind: "metrics", phase: .metrics)
}

extension Trainer {
    func timed<Result>(_ operation: @autoclosure () -> OperationCost, _ body: () throws -> Result) rethrows -> Result {
        guard let timeline else { return try body() }
        return try timeline.record(operation(), body)
    }
}
