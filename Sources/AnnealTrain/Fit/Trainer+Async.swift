import AnnealCore
import Synchronization

extension Trainer {
    /// As `fit` above, on a separate thread: the task is suspended meanwhile, and its executor is free for others.
    ///
    /// Cancelling the task ends the run after the current step, as `shouldStop` does: the run's state is saved.
    /// - Throws: also `CancellationError` when the task was cancelled.
    @discardableResult
    public func fit(
        training source: any BatchSource, validation: (any BatchSource)? = nil, epochs: Range<Int>,
        options: FitOptions = FitOptions(), from progress: FitProgress? = nil
    ) async throws -> [EpochReport] {
        try Task.checkCancellation()
        let cancellation = Cancellation()
        var options = options
        options.shouldStop = { [shouldStop = options.shouldStop] in cancellation.isRequested || shouldStop() }
        // The trainer, the sources and the observers belong to this task, which is suspended until the thread is done.
        let call = Handover { [self, options] () throws -> [EpochReport] in
            try fit(training: source, validation: validation, epochs: epochs, options: options, from: progress)
        }
        let reports = try await withTaskCancellationHandler {
            try await OwnThread.run("anneal-fit", pool: threads) { try call.value() }
        } onCancel: {
            cancellation.request()
        }
        try Task.checkCancellation()
        return reports
    }
}

/// Whether a task has been cancelled, for the thread that works for it.
private final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    var isRequested: Bool { flag.load(ordering: .relaxed) }
    func request() { flag.store(true, ordering: .relaxed) }
}
