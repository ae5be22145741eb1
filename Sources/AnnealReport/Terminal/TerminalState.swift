import AnnealTrain
import Foundation

/// The progress of a run for the terminal, updated by its events: a value, so that the line can be tested.
package struct TerminalState: Sendable {
    package var start: RunStart
    /// 0-based.
    package private(set) var epoch: Int
    private var batch = 0
    private var batches: Int
    private var isValidating = false
    private var metrics: [MetricValue] = []
    private var learningRate: Double?
    private var rate = SmoothedRate()
    /// Seconds of a whole epoch and of its validation, from the last completed one.
    private var epochSeconds: Double?
    private var validationSeconds: Double?
    private var best: [String: Double] = [:]
    /// Measured by another process: then nothing is estimated.
    private var told: (samplesPerSecond: Double?, secondsLeft: Double?)?

    /// From the status of another process.
    package init(_ status: RunStatus) {
        start = RunStart(
            position: FitPosition(epoch: status.epochs), endEpoch: status.endEpoch, batchSize: 1, trainingCount: 0,
            validationCount: nil, stepsPerEpoch: status.batches)
        epoch = status.epochs
        (batch, batches, isValidating) = (status.batch, status.batches, status.isValidating)
        metrics = status.metrics.map { MetricValue(name: $0.name, value: $0.value ?? .nan) }
        learningRate = status.learningRate
        told = (status.samplesPerSecond, status.secondsLeft)
    }

    package init(start: RunStart) {
        self.start = start
        epoch = start.position.epoch
        batch = start.position.batch
        batches = start.stepsPerEpoch
        if let before = start.best { best[before.name] = before.value }
    }

    package mutating func update(_ report: BatchReport) {
        // The run's first update also allocates buffers and fills caches: its time is not representative.
        if rate.perSecond != nil || report.batch > 0 { rate.add(Double(report.samples), seconds: report.seconds) }
        (epoch, batch, batches, isValidating) = (report.epoch, report.batch + 1, report.batches, false)
        metrics = report.metrics
        learningRate = report.learningRate
    }

    package mutating func validating(epoch: Int, batch: Int, batches: Int) {
        (self.epoch, self.batch, self.batches, isValidating) = (epoch, batch + 1, batches, true)
        // They belong to training, and would be mistaken for validation's.
        metrics = []
    }

    /// Takes the epoch's results and returns its permanent line: with full names if they fit in the width, and without
    /// the least important parts if even short ones do not.
    package mutating func end(_ report: EpochReport, _ style: TerminalStyle) -> String {
        epochSeconds = report.seconds
        validationSeconds = report.validationSeconds
        let isBest = isBest(report.validation)
        let full = epochLine(report, isBest, style, inFull: true)
        let short = epochLine(report, isBest, style, inFull: false)
        let fitting = full.fits(style.width) ? full : short.shortened(to: style.width)
        (epoch, batch, isValidating, metrics) = (report.epoch + 1, 0, false, [])
        return fitting.text(colour: style.colour)
    }

    /// Images a second in about the last ten seconds; nil before the second update.
    package var samplesPerSecond: Double? { told.map(\.samplesPerSecond) ?? rate.perSecond }

    private func epochLine(_ report: EpochReport, _ isBest: Bool, _ style: TerminalStyle, inFull: Bool) -> EpochLine {
        let number = "\(report.epoch + 1)"
        let padding = String(repeating: " ", count: max(0, "\(start.endEpoch)".count - number.count))
        var line = EpochLine()
        line.add("Epoch \(padding)\(number)/\(start.endEpoch)", rank: 0, paint: .bold)
        func add(_ name: String, _ metrics: [MetricValue], rank: Int) {
            for (index, metric) in metrics.enumerated() {
                let label = inFull ? metric.name : Self.short(metric.name)
                if index == 0 { line.add(name, rank: rank) }
                line.add(label, rank: rank + index, paint: .dim, after: " ")
                line.add(Readable.metric(metric.value), rank: rank + index, after: " ")
            }
        }
        add("train", report.training, rank: 3)
        add(inFull ? "validation" : "val", report.validation, rank: 1)
        if isBest { line.add(style.unicode ? "★" : "*", rank: 1, paint: .green, after: " ") }
        let seconds = report.seconds + (report.validationSeconds.isFinite ? report.validationSeconds : 0)
        line.add("lr \(Readable.general(report.learningRate))", rank: 5, paint: .dim)
        line.add(Readable.duration(seconds), rank: 6, paint: .dim)
        line.add("\(Readable.rate(report.samplesPerSecond))/s", rank: 7, paint: .dim)
        return line
    }

    package func layout() -> LineLayout {
        let fraction = batches > 0 ? Double(batch) / Double(batches) : 0
        let shownEpoch = min(epoch + 1, start.endEpoch)
        var fields = [LineLayout.Field(ProgressLine.percent(fraction), rank: 0)]
        fields.append(.init("\(batch)/\(batches)", rank: 7, paint: .dim))
        if !isValidating, let rate = samplesPerSecond {
            fields.append(.init("\(Readable.rate(rate))/s", rank: 3, paint: .cyan))
        }
        for (index, metric) in metrics.enumerated() {
            let rank = index == 0 ? 2 : min(4 + index, 8)
            fields.append(.init("\(Self.short(metric.name)) \(Readable.metric(metric.value))", rank: rank))
        }
        if let learningRate, !isValidating {
            fields.append(.init("lr \(Readable.general(learningRate))", rank: 6, paint: .dim))
        }
        if let left = secondsLeft() {
            if let inEpoch = left.epoch {
                fields.append(.init("epoch \(Readable.duration(inEpoch))", rank: 4, paint: .dim))
            }
            fields.append(.init("ETA \(Readable.duration(left.run))", rank: 1, paint: .yellow))
        }
        let label = "Epoch \(shownEpoch)/\(start.endEpoch)" + (isValidating ? " validation" : "")
        return LineLayout(label: label, fraction: fraction, fields: fields)
    }

    /// The time left in the epoch's training, and in the whole run with its validations.
    package func secondsLeft() -> (epoch: Double?, run: Double)? {
        if let told { return told.secondsLeft.map { (nil, $0) } }
        let perEpoch: Double
        if let epochSeconds {
            perEpoch = epochSeconds
        } else if let rate = rate.perSecond, rate > 0 {
            perEpoch = Double(start.trainingCount) / rate
        } else {
            return nil
        }
        // Before the first validation, assume a third of training's time per image: no backward pass.
        let validated = Double(start.validationCount ?? 0)
        let guess = start.trainingCount > 0 ? perEpoch / 3 * validated / Double(start.trainingCount) : 0
        let perValidation = validationSeconds.flatMap { $0.isFinite ? $0 : nil } ?? guess
        let after = Double(max(0, start.endEpoch - epoch - 1)) * (perEpoch + perValidation)
        let part = batches > 0 ? 1 - Double(batch) / Double(batches) : 0
        if isValidating { return (nil, part * perValidation + after) }
        // Within an epoch the current rate is more accurate than the last epoch's.
        let whole = rate.perSecond.flatMap { $0 > 0 ? Double(start.trainingCount) / $0 : nil } ?? perEpoch
        return (part * whole, part * whole + perValidation + after)
    }

    /// Whether the first validation metric is the best so far.
    private mutating func isBest(_ validation: [MetricValue]) -> Bool {
        guard let metric = validation.first, metric.value.isFinite else { return false }
        let before = best[metric.name]
        let isBetter = before.map { MetricSense.isBetter(metric.value, than: $0, name: metric.name) } ?? true
        if isBetter { best[metric.name] = metric.value }
        // The first one is trivially the best.
        return isBetter && before != nil
    }

    /// The first line of several: the progress. The others are `details`.
    package func headline() -> LineLayout {
        var layout = layout()
        layout.fields = layout.fields.filter { field in
            field.text.hasSuffix("%") || field.rank == 7 || field.text.hasPrefix("ETA")
                || field.text.hasPrefix("epoch ")
        }
        return layout
    }

    /// The second line of several: the metrics, as far as they fit.
    package func details(_ style: TerminalStyle, memoryBytes: Int?) -> String {
        var line = EpochLine()
        line.add(" ", rank: 0)
        for (index, metric) in metrics.enumerated() {
            line.add(metric.name, rank: 1 + index, paint: .dim)
            line.add(Readable.metric(metric.value), rank: 1 + index, after: " ")
        }
        if !isValidating, let rate = samplesPerSecond {
            line.add("\(Readable.rate(rate)) images/s", rank: 1, paint: .cyan)
        }
        if let learningRate { line.add("lr \(Readable.general(learningRate))", rank: 5, paint: .dim) }
        if let memoryBytes { line.add("\(Readable.count(memoryBytes >> 20)) MB", rank: 6, paint: .dim) }
        return line.shortened(to: style.width).text(colour: style.colour)
    }

    /// `accuracy` → `acc`, where room is short.
    private static func short(_ name: String) -> String {
        switch name {
        case "accuracy": "acc"
        case "cross-entropy": "ce"
        case "nll-loss": "nll"
        case "perplexity": "ppl"
        default: name.hasPrefix("top_k_accuracy_") ? "top-" + name.dropFirst("top_k_accuracy_".count) : name
        }
    }
}
