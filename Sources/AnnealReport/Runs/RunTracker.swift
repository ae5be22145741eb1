import AnnealTrain
import Foundation

/// Follows a run through its events: the state of the terminal and of `status.json`. A value, so that both can be
/// tested.
package struct RunTracker: Sendable {
    package private(set) var progress: TerminalState
    package private(set) var curve: LiveView.Curve
    private var status: RunStatus
    /// Seconds of the completed epochs, and when the current one began.
    private var secondsBefore: Double
    private var epochBegan: Double
    private let stepsPerEpoch: Int

    /// - Parameters:
    ///   - history: the run's epochs so far, if it resumes.
    ///   - now: seconds of a monotonic clock.
    package init(_ start: RunStart, history: [EpochReport], now: Double) {
        let epochs = history.filter { $0.epoch < start.position.epoch }
        progress = TerminalState(start: start)
        curve = LiveView.Curve(epochs, metric: start.best?.name)
        status = RunStatus(state: .running, epochs: start.position.epoch, endEpoch: start.endEpoch)
        (status.batch, status.batches) = (start.position.batch, start.stepsPerEpoch)
        stepsPerEpoch = start.stepsPerEpoch
        secondsBefore = epochs.reduce(0) { $0 + $1.wholeSeconds }
        epochBegan = now
        if let best = start.best {
            let epoch = epochs.last { $0.validation.first { $0.name == best.name }?.value == best.value }?.epoch
            status.best = RunStatus.Best(metric: best.name, value: best.value, checkpoint: (epoch ?? -1) + 1)
        }
    }

    package mutating func update(_ report: BatchReport) {
        progress.update(report)
        (status.batch, status.batches, status.isValidating) = (report.batch + 1, report.batches, false)
        status.learningRate = report.learningRate
        status.metrics = report.metrics.map(RunStatus.Value.init)
    }

    package mutating func validating(epoch: Int, batch: Int, batches: Int) {
        progress.validating(epoch: epoch, batch: batch, batches: batches)
        (status.batch, status.batches, status.isValidating) = (batch + 1, batches, true)
        status.metrics = []
    }

    /// - Returns: the epoch's permanent line on a terminal.
    @discardableResult
    package mutating func end(_ report: EpochReport, _ style: TerminalStyle, now: Double) -> String {
        let line = progress.end(report, style)
        curve.add(report)
        secondsBefore += report.wholeSeconds
        epochBegan = now
        status.epochs = report.epoch + 1
        (status.batch, status.batches, status.isValidating) = (0, stepsPerEpoch, false)
        status.samplesPerSecond = report.samplesPerSecond
        status.learningRate = report.learningRate
        status.metrics = report.training.map(RunStatus.Value.init)
        if let metric = report.validation.first, metric.value.isFinite,
            status.best.map({ MetricSense.isBetter(metric.value, than: $0.value, name: metric.name) }) ?? true
        {
            status.best = RunStatus.Best(metric: metric.name, value: metric.value, checkpoint: report.epoch + 1)
        }
        return line
    }

    package mutating func end(_ end: RunEnd, now: Double) {
        if end.interrupted { endEpoch(now) }
        status.state = end.interrupted ? .interrupted : end.missing.isEmpty ? .finished : .failed
        if !end.missing.isEmpty { status.error = "not saved: \(end.missing.joined(separator: ", "))" }
    }

    package mutating func fail(_ error: String, now: Double) {
        endEpoch(now)
        (status.state, status.error) = (.failed, error)
    }

    /// Counts the time of an epoch that will not be completed.
    private mutating func endEpoch(_ now: Double) {
        secondsBefore += now - epochBegan
        epochBegan = now
    }

    package var isRunning: Bool { status.state == .running }

    /// - Parameter now: of the same clock as at the run's start.
    package func status(at now: Double) -> RunStatus {
        var result = status
        result.updated = Date()
        result.seconds = secondsBefore
        if isRunning {
            result.seconds += now - epochBegan
            result.secondsLeft = progress.secondsLeft()?.run
            result.memoryBytes = ProcessMemory.resident
            result.samplesPerSecond = progress.samplesPerSecond ?? result.samplesPerSecond
        }
        // JSON has no other numbers.
        result.samplesPerSecond = result.samplesPerSecond.flatMap { $0.isFinite ? $0 : nil }
        result.secondsLeft = result.secondsLeft.flatMap { $0.isFinite ? $0 : nil }
        result.learningRate = result.learningRate.flatMap { $0.isFinite ? $0 : nil }
        return result
    }

    package var view: LiveView {
        LiveView(state: progress, best: status.best, memoryBytes: ProcessMemory.resident, curve: curve)
    }
}

extension EpochReport {
    /// Of training and validation, as far as they were measured.
    package var wholeSeconds: Double { [seconds, validationSeconds].filter(\.isFinite).reduce(0, +) }
}
