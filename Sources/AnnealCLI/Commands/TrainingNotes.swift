import Anneal

/// What the log says before the first step.
extension TrainingRun {
    /// Of a fine-tuned model: how images become its input; nil for others.
    func imagesNote(_ preprocessing: Preprocessing) -> FitEvent? {
        guard let trained else { return nil }
        func list(_ numbers: [Float]) -> String { numbers.map { "\($0)" }.joined(separator: ",") }
        let isSame = (trained.mean, trained.std) == (preprocessing.mean, preprocessing.std)
        return .note(
            "Images: mean \(list(preprocessing.mean)), std \(list(preprocessing.std)), \(isSame ? "as" : "not as") the trained model had them"
        )
    }

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
                "Learning rate \(first), times \(options.schedule.lrFactor) when the validation accuracy has not risen for more than \(options.schedule.lrPatience) epochs"
            )
        }
        guard schedule.schedule != nil else { return .note("Learning rate \(first) in every update") }
        let last = max(1, (endEpoch(options) - passedEpochs) * schedule.epochSize)
        // A long run is looked at here and there.
        let updates = stride(from: 1, to: last, by: max(1, last / 10_000))
        let peak = updates.max { optimizer.rate(at: $0) < optimizer.rate(at: $1) } ?? 1
        let epoch = Double(peak) / Double(max(1, schedule.epochSize)) + Double(passedEpochs)
        return .note(
            "Learning rate \(first) in the first update, at most \(optimizer.rate(at: peak)) in update \(peak) (epoch \((epoch * 10).rounded() / 10)), \(optimizer.rate(at: last)) in the last, update \(last) (epoch \(endEpoch(options)))"
        )
    }
}

extension TrainingOptions {
    /// Flags that were given and that nothing takes, each with what it is for.
    func idleFlags(hasValidation: Bool, _ views: TestTimeViews) -> [FitEvent] {
        let falls = schedule.lrSchedule == .steps || schedule.lrSchedule == .plateau
        let idle: [(flag: String, isIdle: Bool, purpose: String)] = [
            ("--lr-factor", schedule.lrFactor != 0.1 && !falls, "--lr-schedule steps or plateau"),
            (
                "--lr-patience", schedule.lrPatience != 10 && schedule.lrSchedule != .plateau,
                "--lr-schedule plateau"
            ),
            (
                "--lookahead-alpha", updates.lookaheadAlpha != .constant(0.5) && updates.lookahead ?? 0 == 0,
                "--lookahead"
            ),
            ("--tta", views != .none && !hasValidation, "--data-val"),
        ]
        return idle.filter(\.isIdle).map { .warning("\($0.flag) has no effect here: it goes with \($0.purpose)") }
    }
}
