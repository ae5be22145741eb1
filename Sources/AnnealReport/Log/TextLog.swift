import AnnealCore
import AnnealTrain
import Foundation

/// Writes a run in MXNet's log grammar: to a file, and to a stream when that is no terminal.
///
/// Lines carry the prefix of Python's `logging`, e.g. `INFO:root:Epoch[0] Train-accuracy=0.471000`.
public final class TextLog: FitObserver {
    private let file: LineFile?
    private let echo: (any TextOutput)?
    private var window: BatchWindow
    private var hasTrained = false

    /// - Parameters:
    ///   - path: the log; a file that is there grows. nil: no file.
    ///   - displayBatches: a speed line after every so many updates, as MXNet's `--disp-batches`.
    ///   - autoReset: whether a speed line's metrics cover the updates since the last one, as in MXNet's scripts, or
    ///     the epoch so far.
    ///   - echo: where the lines go besides, e.g. standard error when that is no terminal.
    public init(
        path: String?, displayBatches: Int = 20, autoReset: Bool = true, echo: (any TextOutput)? = nil
    ) throws {
        file = try path.map(LineFile.init(appendingTo:))
        self.echo = echo
        window = BatchWindow(interval: displayBatches, autoReset: autoReset)
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start):
            if start.firstEpoch > 0 { try info("Resumed at epoch \(start.firstEpoch) of \(start.endEpoch)") }
        case .batch(let report):
            // MXNet's first speed line comes late; this one shows at once that and how fast training goes.
            if !hasTrained { try info(LogGrammar.firstBatch(report)) }
            hasTrained = true
            if let displayed = window.add(report) { try info(LogGrammar.batch(displayed)) }
        case .validating:
            break
        case .epoch(let report):
            for line in LogGrammar.training(report) { try info(line) }
            try info(LogGrammar.time(report))
            for line in LogGrammar.validation(report) { try info(line) }
            try file?.sync()
        case .saved(_, let path):
            try info(LogGrammar.saved(path))
        case .note(let text):
            try info(text)
        case .warning(let text):
            try line("WARNING", text)
        case .finished(let end):
            let verb = end.interrupted ? "Interrupted" : "Finished"
            try info("\(verb) after \(end.epochs) epochs, \(LogGrammar.fixed(end.seconds, 3)) seconds")
            try file?.sync()
        }
    }

    /// Writes a line of the caller's own, e.g. `start with arguments …`.
    public func info(_ message: String) throws { try line("INFO", message) }

    private func line(_ level: String, _ message: String) throws {
        // A message of several lines stays one record of the log.
        let flat = message.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: " ")
        let text = "\(level):root:\(flat)"
        try file?.append(text)
        echo?.write(text + "\n")
    }
}
