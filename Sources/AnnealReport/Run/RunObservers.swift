import AnnealTrain

/// The observers that every run has, in one place.
public enum RunObservers {
    /// The log, the metrics, the curves, and progress on the terminal or plain lines where there is none.
    ///
    /// - Parameters:
    ///   - title: heads the curves: the network and the data set.
    ///   - subtitle: stands below it: the command in short.
    ///   - displayBatches: a speed line after every so many updates, as MXNet's `--disp-batches`.
    ///   - position: where a run goes on in its folder; nil for a new one.
    ///   - output: where people look.
    /// - Throws: `AnnealError` when the log cannot be written.
    public static func standard(
        folder: RunFolder, title: String, subtitle: String? = nil, displayBatches: Int = 20,
        from position: FitPosition? = nil, output: any TextOutput = StandardStream.error
    ) throws -> [any FitObserver] {
        let isInteractive = output.style.isInteractive
        return [
            try TextLog(
                path: folder.log, displayBatches: displayBatches, from: position, echo: isInteractive ? nil : output),
            TerminalProgress(output: output),
            MetricsCSV(path: folder.metricsCSV),
            MetricsJSONL(path: folder.metricsJSONL, displayBatches: displayBatches),
            CurvesWriter(folder: folder, title: title, subtitle: subtitle),
        ]
    }
}
