import AnnealCore
import AnnealTrain
import Foundation

/// Writes a run in MXNet's log grammar: to a file, and to a stream if that is not a terminal.
///
/// Lines carry the prefix of Python's `logging`, e.g. `INFO:root:Epoch[0] Train-accuracy=0.471000`.
public final class TextLog: FitObserver {
    private let file: LineFile?
    private let echo: (any TextOutput)?
    private var window: BatchWindow
    private var hasTrained = false

    /// - Parameters:
    ///   - path: the log; an existing file is appended to. nil: no file.
    ///   - displayBatches: the number of updates between speed lines, as MXNet's `--disp-batches`.
    ///   - autoReset: whether a speed line's metrics cover the updates since the last one, as in MXNet's scripts, or
    ///     the epoch so far.
    ///   - position: where the run resumes: lines of a part that is repeated are dropped, with all after them. nil: all
    ///     lines of the file are kept.
    ///   - echo: a second output for the lines, e.g. standard error if that is not a terminal.
    public init(
        path: String?, displayBatches: Int = 20, autoReset: Bool = true, from position: FitPosition? = nil,
        echo: (any TextOutput)? = nil
    ) throws {
        if let path, let position { try Self.cut(path, from: position) }
        file = try path.map(LineFile.init(appendingTo:))
        self.echo = echo
        window = BatchWindow(interval: displayBatches, autoReset: autoReset)
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start):
            window.resume(start)
            if start.position > FitPosition(epoch: 0) {
                let batch = start.position.batch > 0 ? ", batch \(start.position.batch)" : ""
                try info("Resumed at epoch \(start.position.epoch) of \(start.endEpoch)\(batch)")
            }
        case .batch(let report):
            // MXNet's first speed line comes late; this one shows at once that training works and how fast.
            if !hasTrained { try info(LogGrammar.firstBatch(report)) }
            hasTrained = true
            if let displayed = window.add(report) { try info(LogGrammar.batch(displayed)) }
        case .validating:
            break
        case .epoch(let report):
            for line in LogGrammar.training(report) { try info(line) }
            try info(LogGrammar.time(report))
            if let line = LogGrammar.waiting(report) { try info(line) }
            for line in LogGrammar.validation(report) { try info(line) }
            try file?.sync()
        case .saved(_, let path):
            try info(LogGrammar.saved(path))
        case .note(let text):
            try info(text)
        case .warning(let text):
            try line("WARNING", text)
        case .finished(let end):
            try info("\(end.verb) after \(end.epochs.counted("epoch")), \(LogGrammar.fixed(end.seconds, 3)) seconds")
            try file?.sync()
        }
    }

    /// Writes a line of the caller's, e.g. `start with arguments …`.
    public func info(_ message: String) throws { try line("INFO", message) }

    private func line(_ level: String, _ message: String) throws {
        // A message of several lines stays one record of the log.
        let flat = message.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: " ")
        // MXNet's log has tabs; names in a line may contain anything.
        let text = "\(level):root:\(flat.printable(keeping: ["\t"]))"
        // Shown even if the file cannot be written.
        echo?.write(text + "\n")
        try file?.append(text)
    }

    /// Whether a run's log names saved checkpoints.
    package static func tellsOfCheckpoints(_ path: String) throws -> Bool {
        try LineFile.completeLines(of: path).contains { $0.hasPrefix("INFO:root:\(LogGrammar.savedBeginning)") }
    }

    private static func cut(_ path: String, from position: FitPosition) throws {
        let lines = try LineFile.completeLines(of: path)
        guard let first = lines.firstIndex(where: { LogGrammar.end(ofLine: $0[...]).map { $0 > position } ?? false })
        else { return }
        try Files.writeAtomically(Data(lines[..<first].map { $0 + "\n" }.joined().utf8), to: path)
    }
}
