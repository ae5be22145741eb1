import Anneal

/// What the log says before the first step.
extension TrainingRun {
    /// What a batch is, in words.
    func batchNote(_ training: BatchLoader, accumulation: Int) -> FitEvent {
        let size = training.batchSize, rest = training.count % size
        guard training.count >= size else {
            return .warning("\(training.count) training images do not fill one batch of \(size)")
        }
        let filling = rest > 0 ? ", the last with \(rest) images, filled up with others" : ""
        let images = "\(size * accumulation) images in all" + (accumulation > 1 ? ", of \(accumulation) batches" : "")
        let updates = (training.batchesPerEpoch + accumulation - 1) / accumulation
        return .note(
            "Batch size \(size): an update averages over \(images), all of them on one device; \(training.count) images make \(updates) updates an epoch\(filling)"
        )
    }

    /// The learning rate's steps in epochs and updates, or that there is none.
    func rateNote(
        _ options: TrainingOptions, _ schedule: FitSchedule, _ optimizer: Optimizer, passedEpochs: Int
    ) -> FitEvent {
        if let remark = optimizer.rule.remark { return .note("Learning rate: \(remark)") }
        let first = optimizer.rate(at: 1)
        if !schedule.steps.isEmpty {
            let steps = schedule.steps.map { "\($0 / max(1, schedule.epochSize) + passedEpochs) (update \($0))" }
            return .note(
                "Learning rate \(first), times \(options.schedule.lrFactor) after epoch \(steps.joined(separator: ", "))"
            )
        }
        if options.schedule.lrSchedule == .plateau {
            return .note(
                "Learning rate \(first), times \(options.schedule.lrFactor) when the validation accuracy has not risen for \(options.schedule.lrPatience) epochs"
            )
        }
        guard schedule.schedule != nil else { return .note("Learning rate \(first) in every update") }
        let last = max(1, (endEpoch(options) - passedEpochs) * schedule.epochSize)
        let rates = (1...last).map { optimizer.rate(at: $0) }
        let peak = rates.indices.max { rates[$0] < rates[$1] } ?? 0
        let epoch = Double(peak + 1) / Double(max(1, schedule.epochSize)) + Double(passedEpochs)
        return .note(
            "Learning rate \(first) in the first update, at most \(rates[peak]) in update \(peak + 1) (epoch \((epoch * 10).rounded() / 10)), \(rates[last - 1]) in the last, update \(last) (epoch \(endEpoch(options)))"
        )
    }
}
