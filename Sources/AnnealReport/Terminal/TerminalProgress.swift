import AnnealCore
import AnnealTrain
import Foundation

/// A run on a terminal: a bar redrawn in place, the time left, the running metrics, the rate, and the best result so
/// far with a small curve, and a permanent line for each epoch. A narrow or low terminal gets one line.
///
/// Without a terminal it prints nothing; give `TextLog` an `echo` then.
public final class TerminalProgress: FitObserver {
    private let output: any TextOutput
    private let clock: @Sendable () -> Double
    private var live: LiveLine
    private var tracker: RunTracker?
    /// The run's `metrics.jsonl`, for the history of a run that resumes.
    private let history: String?
    private var drawn = -Double.infinity

    public init(
        output: any TextOutput = StandardStream.error, history: String? = nil,
        clock: @escaping @Sendable () -> Double = Clocks.monotonic
    ) {
        self.output = output
        self.history = history
        self.clock = clock
        live = LiveLine(output)
    }

    /// A run that ends with an error leaves no line.
    deinit { live.clear() }

    public func receive(_ event: FitEvent) {
        guard output.style.isInteractive else { return }
        switch event {
        case .started(let start):
            let before = start.position.epoch > 0 ? history.map(RunHistory.readable) : nil
            tracker = RunTracker(start, history: before ?? [], now: clock())
        case .batch(let report):
            tracker?.update(report)
            draw(atOnce: report.batch + 1 == report.batches)
        case .validating(let epoch, let batch, let batches):
            tracker?.validating(epoch: epoch, batch: batch, batches: batches)
            draw(atOnce: batch + 1 == batches)
        case .epoch(let report):
            if let line = tracker?.end(report, output.style, now: clock()) { live.print(line) }
        case .saved:
            // There is one for each save: the log has them, and the epoch's line is enough here.
            break
        case .note(let text):
            live.print(text.printable(keeping: ["\n"]))
        case .warning(let text):
            live.print(
                Paint(enabled: output.style.colour).yellow("warning: ") + text.printable(keeping: ["\n"]))
        case .finished(let end):
            live.print(
                "\(end.verb) after \(end.epochs.counted("epoch")), \(Readable.duration(end.seconds))"
            )
            tracker = nil
        }
    }

    /// Erases the line before something else is written to the terminal; the next event draws it again.
    public func clear() {
        live.clear()
        drawn = -.infinity
    }

    /// Ten times a second is smooth and cheap; an epoch's last batch is always shown.
    private func draw(atOnce: Bool) {
        let now = clock()
        guard atOnce || now - drawn >= 0.1, let tracker else { return }
        drawn = now
        live.show(tracker.view.lines(output.style))
    }
}
