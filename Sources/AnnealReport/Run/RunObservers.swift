import AnnealCore
import AnnealTrain

/// What a run shows while it trains.
public enum RunProgress: Sendable {
    /// A live view on a terminal, the log's lines elsewhere.
    case shown
    /// Warnings only.
    case quiet
    /// Events as JSON on standard output, and warnings.
    case json
}

/// Creates the observers that every run has.
public enum RunObservers {
    /// The log, the metrics, the curves, and progress on the terminal, or plain lines without one. Once the run has
    /// started, a failure to write is a warning and does not end it.
    ///
    /// - Parameters:
    ///   - title: the title of the curves: the network and the data set.
    ///   - subtitle: shown below it: the command in short.
    ///   - displayBatches: the number of updates between speed lines, as MXNet's `--disp-batches`.
    ///   - position: where a run resumes in its folder; nil for a new one.
    ///   - progress: what is shown.
    ///   - output: the stream that people read.
    ///   - after: observers that are called after these; their errors are warnings too.
    /// - Throws: `AnnealError` when the log cannot be written.
    public static func standard(
        folder: RunFolder, title: String, subtitle: String? = nil, displayBatches: Int = 20,
        from position: FitPosition? = nil, progress: RunProgress = .shown,
        output: any TextOutput = StandardStream.error,
        after: [any FitObserver] = []
    ) throws -> [any FitObserver] {
        let isPlain = progress == .shown && !output.style.isInteractive
        var own: [any FitObserver] = [
            try TextLog(path: folder.log, displayBatches: displayBatches, from: position, echo: isPlain ? output : nil)
        ]
        switch progress {
        case .shown: own.append(TerminalProgress(output: output, history: folder.metricsJSONL))
        case .quiet: own.append(WarningLines(output: output))
        case .json:
            own += [
                WarningLines(output: output),
                EventLines(
                    output: StandardStream.output, folder: folder.path, displayBatches: displayBatches),
            ]
        }
        own +=
            [
                MetricsCSV(path: folder.metricsCSV),
                MetricsJSONL(path: folder.metricsJSONL, displayBatches: displayBatches),
                CurvesWriter(folder: folder, title: title, subtitle: subtitle),
            ] as [any FitObserver]
        return [ReportObservers(own + after)]
    }
}

/// Observers that only report: a training run that has started does not end because one of them cannot write.
final class ReportObservers: FitObserver {
    private let observers: [any FitObserver]
    /// Each problem is reported once, and again briefly at the end.
    private var problems: [String] = []

    init(_ observers: [any FitObserver]) { self.observers = observers }

    func receive(_ event: FitEvent) throws {
        for observer in observers {
            do {
                try observer.receive(event)
            } catch {
                // Nothing has been trained yet: an error now is better.
                if case .started = event { throw error }
                let problem = "\(error)"
                guard !problems.contains(problem) else { continue }
                problems.append(problem)
                warn("training continues without: \(problem)")
            }
        }
        if case .finished = event, !problems.isEmpty {
            warn("some reports could not be written, at least for a time: \(problems.joined(separator: "; "))")
        }
    }

    /// All are called: the one that cannot write its file may be the only one that shows anything.
    private func warn(_ text: String) {
        for observer in observers { try? observer.receive(.warning(text)) }
    }
}

/// Shows warnings and nothing else.
final class WarningLines: FitObserver {
    private let output: any TextOutput

    init(output: any TextOutput) { self.output = output }

    func receive(_ event: FitEvent) {
        guard case .warning(let text) = event else { return }
        output.write("warning: \(text.printable(keeping: ["\n"]))\n")
    }
}
