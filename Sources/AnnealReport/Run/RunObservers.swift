import AnnealTrain

/// The observers that every run has, in one place.
public enum RunObservers {
    /// The log, the metrics, the curves, and progress on the terminal or plain lines where there is none. Once the run has
    /// started, what they cannot write is a warning and does not end it.
    ///
    /// - Parameters:
    ///   - title: heads the curves: the network and the data set.
    ///   - subtitle: stands below it: the command in short.
    ///   - displayBatches: a speed line after every so many updates, as MXNet's `--disp-batches`.
    ///   - position: where a run resumes in its folder; nil for a new one.
    ///   - output: where people look.
    ///   - after: observers that are told after these, and whose errors are warnings too.
    /// - Throws: `AnnealError` when the log cannot be written.
    public static func standard(
        folder: RunFolder, title: String, subtitle: String? = nil, displayBatches: Int = 20,
        from position: FitPosition? = nil, output: any TextOutput = StandardStream.error,
        after: [any FitObserver] = []
    ) throws -> [any FitObserver] {
        let isInteractive = output.style.isInteractive
        let own: [any FitObserver] = [
            try TextLog(
                path: folder.log, displayBatches: displayBatches, from: position, echo: isInteractive ? nil : output),
            TerminalProgress(output: output, history: folder.metricsJSONL),
            MetricsCSV(path: folder.metricsCSV),
            MetricsJSONL(path: folder.metricsJSONL, displayBatches: displayBatches),
            CurvesWriter(folder: folder, title: title, subtitle: subtitle),
        ]
        return [ReportObservers(own + after)]
    }
}

/// Observers that only report: a training that has started does not end because one of them cannot write.
final class ReportObservers: FitObserver {
    private let observers: [any FitObserver]
    /// Each is told once, and in short at the end.
    private var problems: [String] = []

    init(_ observers: [any FitObserver]) { self.observers = observers }

    func receive(_ event: FitEvent) throws {
        for observer in observers {
            do {
                try observer.receive(event)
            } catch {
                // Nothing is trained yet: better an error now.
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

    /// All are told: the one that cannot write its file may be the only one that shows anything.
    private func warn(_ text: String) {
        for observer in observers { try? observer.receive(.warning(text)) }
    }
}
