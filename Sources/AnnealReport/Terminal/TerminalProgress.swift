import AnnealCore
import AnnealTrain
import Foundation

/// A run on a terminal: one line in place with a bar, the rate, the running metrics and the time left, and a line that
/// stays for each epoch.
///
/// Where there is no terminal it says nothing; give `TextLog` an `echo` there.
public final class TerminalProgress: FitObserver {
    private let output: any TextOutput
    private let clock: @Sendable () -> Double
    private var live: LiveLine
    private var state: TerminalState?
    private var drawn = -Double.infinity

    public init(
        output: any TextOutput = StandardStream.error, clock: @escaping @Sendable () -> Double = Clocks.monotonic
    ) {
        self.output = output
        self.clock = clock
        live = LiveLine(output)
    }

    /// A run that ends with an error leaves no line.
    deinit { live.clear() }

    public func receive(_ event: FitEvent) {
        guard output.style.isInteractive else { return }
        switch event {
        case .started(let start):
            state = TerminalState(start: start)
        case .batch(let report):
            state?.update(report)
            draw(atOnce: report.batch + 1 == report.batches)
        case .validating(let epoch, let batch, let batches):
            state?.validating(epoch: epoch, batch: batch, batches: batches)
            draw(atOnce: batch + 1 == batches)
        case .epoch(let report):
            let style = output.style
            if let line = state?.end(report, style) { live.print(line) }
        case .saved:
            // One a save period: the log has them, and the line of the epoch is enough here.
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
            state = nil
        }
    }

    /// Wipes the line off before somebody else writes to the terminal; the next event draws it again.
    public func clear() {
        live.clear()
        drawn = -.infinity
    }

    /// Ten times a second is smooth and costs nothing; an epoch's last batch is always shown.
    private func draw(atOnce: Bool) {
        let now = clock()
        guard atOnce || now - drawn >= 0.1, let state else { return }
        drawn = now
        live.show(state.layout().line(output.style).text)
    }
}
