import AnnealCore
import AnnealTrain
import Foundation

/// Keeps a run's `status.json`, at most one write a second.
///
/// It is for people who watch: it is not synced, and a folder that cannot be written to is not an error here, since the
/// log and the metrics report it.
public final class StatusWriter: FitObserver {
    private static let interval = 1.0
    private let path: String
    private let history: String
    private let clock: @Sendable () -> Double
    private var tracker: RunTracker?
    private var next = -Double.infinity

    public init(folder: RunFolder, clock: @escaping @Sendable () -> Double = Clocks.monotonic) {
        path = folder.status
        history = folder.metricsJSONL
        self.clock = clock
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start):
            let history = start.position.epoch > 0 ? RunHistory.readable(history) : []
            tracker = RunTracker(start, history: history, now: clock())
            write()
        case .batch(let report):
            tracker?.update(report)
            if clock() >= next { write() }
        case .validating(let epoch, let batch, let batches):
            tracker?.validating(epoch: epoch, batch: batch, batches: batches)
            if clock() >= next { write() }
        case .epoch(let report):
            tracker?.end(report, .none, now: clock())
            write()
        case .finished(let end):
            tracker?.end(end, now: clock())
            write()
        case .saved, .note, .warning: break
        }
    }

    /// The run ends with an error.
    public func fail(_ text: String) {
        guard tracker?.isRunning == true else { return }
        tracker?.fail(text, now: clock())
        write()
    }

    private func write() {
        let now = clock()
        next = now + Self.interval
        guard let data = try? tracker?.status(at: now).json() else { return }
        Files.replaceUnsynced(path, with: data)
    }
}
