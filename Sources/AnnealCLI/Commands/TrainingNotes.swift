import Anneal

/// What the log says before the first step.
extension TrainingRun {
    /// The training and validation data, and how images become the network's input.
    func imageNotes(
        _ preprocessing: Preprocessing, _ validation: ImageData?, isHeldOut: Bool, _ data: DataOptions
    ) -> [FitEvent] {
        var notes = images.notes + [images.contents(.training), images.classNote].compactMap { $0 }
        if let validation {
            if isHeldOut {
                notes.append(
                    .note(
                        "\(validation.source.count) of the images are held out for validation (--val-split \(data.valSplit ?? 0))"
                    ))
            } else {
                notes += validation.notes + [validation.contents(.validation)]
            }
        } else {
            notes.append(
                .warning(
                    "nothing is held out: accuracy is measured on the training images only (give --data-val, or --val-split 0.1)"
                ))
        }
        let isOwnRule = data.images.resize == nil || data.images.resize == .automatic
        let sizes = images.sizeNote(preprocessing, isOwnRule: isOwnRule)
        var validationSizes: FitEvent?
        // One of them may be large and the other not. Resizing is reported once.
        if let validation, !isHeldOut, preprocessing.resize == nil || sizes == nil {
            validationSizes = validation.sizeNote(preprocessing, isOwnRule: isOwnRule, of: .validation)
        }
        if data.images.measuresColours {
            func list(_ numbers: [Float]) -> String { numbers.map { "\($0)" }.joined(separator: ",") }
            notes.append(
                .note("Measured: --rgb-mean \(list(preprocessing.mean)) --rgb-std \(list(preprocessing.std))"))
        }
        return notes + [recordNote(preprocessing), sizes, validationSizes].compactMap { $0 }
    }

    /// For a fine-tuned model: what its record says about images, and what is different here; nil for others.
    private func recordNote(_ preprocessing: Preprocessing) -> FitEvent? {
        guard let trained else { return nil }
        func list(_ numbers: [some Any]) -> String { numbers.map { "\($0)" }.joined(separator: ",") }
        func values(_ record: Preprocessing) -> [String] {
            [
                "shape \(list(record.imageShape))", record.resize.map { "resize \($0)" } ?? "not resized",
                "mean \(list(record.mean))", "std \(list(record.std))",
            ]
        }
        let pairs = zip(values(preprocessing), values(trained))
        let same = pairs.filter { $0 == $1 }.map(\.0)
        let other = pairs.filter { $0 != $1 }.map { "\($0) (there \($1))" }
        return .note(
            "Images as the pre-trained model's record says: \(same.isEmpty ? "nothing" : same.joined(separator: ", "))"
                + (other.isEmpty ? "" : "; otherwise: \(other.joined(separator: ", "))"))
    }

    /// What a batch is, in words.
    /// - Parameters:
    ///   - scheduled: updates per epoch as the learning rate schedule counts them (--num-examples).
    ///   - shards: the number of shards of a batch.
    func batchNote(_ training: BatchLoader, accumulation: Int, scheduled: Int, shards: Int) -> FitEvent {
        let sharing = shards > 1 ? "in \(shards) shards with separate batch statistics" : "all on one device"
        let size = training.batchSize, rest = training.count % size
        guard training.count >= size else {
            return .warning("\(training.count.counted("training image")) cannot fill a batch of \(size)")
        }
        let filling = rest > 0 ? ", the last with \(rest.counted("image")), padded with others" : ""
        let images = (size * accumulation).counted("image") + (accumulation > 1 ? " (\(accumulation) batches)" : "")
        let updates = updatesPerEpoch(training, accumulation: accumulation)
        let other =
            scheduled == updates
            ? "" : "; the learning rate's schedule takes \(scheduled) for an epoch, as --num-examples says"
        return .note(
            "Batch size \(size): each update averages over \(images), \(sharing); \(training.count.counted("image")) make \(updates.counted("update")) per epoch\(filling)\(other)"
        )
    }

    /// Updates that are made in an epoch.
    func updatesPerEpoch(_ training: BatchLoader, accumulation: Int) -> Int {
        max(1, (training.batchesPerEpoch + accumulation - 1) / accumulation)
    }

    /// Warns if the bits may differ from those of an uninterrupted run; nil if they do not, or it is not known.
    func machineNote(_ run: SavedRun?, _ trainer: Trainer) -> FitEvent? {
        if run?.addsOtherwise == true {
            return .note(
                "The run was saved by version 0.1, which added numbers in another order: the last bits differ from here on"
            )
        }
        return run?.machine?.warning(resumingOn: trainer.parameters.engine.machine).map { .warning($0) }
    }

    /// The learning rate's steps in epochs and updates, or that there are none.
    /// - Parameter updatesPerEpoch: updates that are made; the schedule may count differently.
    func rateNote(
        _ options: TrainingOptions, _ schedule: FitSchedule, _ optimizer: Optimizer, passedEpochs: Int,
        updatesPerEpoch: Int
    ) -> FitEvent {
        func epochs(_ update: Int) -> String {
            let number = Double(update) / Double(updatesPerEpoch) + Double(passedEpochs)
            return number == number.rounded() ? "\(Int(number))" : "\((number * 10).rounded() / 10)"
        }
        if let remark = optimizer.rule.remark { return .note("Learning rate: \(remark)") }
        // A resumed run has counted updates before.
        let next = optimizer.updates + 1, first = optimizer.rate(at: next)
        let beginning = "Learning rate \(first.brief)" + (next > 1 ? " in the next update, update \(next)" : "")
        if !schedule.steps.isEmpty {
            let end = (endEpoch(options) - passedEpochs) * updatesPerEpoch
            let steps = schedule.steps.filter { $0 >= next && $0 < end }.map { "\(epochs($0)) (update \($0))" }
            guard !steps.isEmpty else { return .note("\(beginning)\(next > 1 ? "," : "") to the end of the run") }
            return .note(
                "\(beginning), times \(options.schedule.lrFactor) after epoch \(steps.joined(separator: ", "))")
        }
        if options.schedule.lrSchedule == .plateau {
            return .note(
                "\(beginning), times \(options.schedule.lrFactor) when the validation accuracy has not risen for more than \(options.schedule.lrPatience.counted("epoch"))"
            )
        }
        guard schedule.schedule != nil else { return .note("Learning rate \(first.brief) in every update") }
        let last = max(next, (endEpoch(options) - passedEpochs) * updatesPerEpoch)
        // Samples of a long run are enough.
        let updates = stride(from: next, through: last, by: max(1, (last - next) / 10_000))
        let peak = updates.max { optimizer.rate(at: $0) < optimizer.rate(at: $1) } ?? next
        let epoch = Double(peak) / Double(updatesPerEpoch) + Double(passedEpochs)
        return .note(
            "Learning rate \(first.brief) in the \(next > 1 ? "next update, update \(next)" : "first update"), at most \(optimizer.rate(at: peak).brief) in update \(peak) (epoch \((epoch * 10).rounded() / 10)), \(optimizer.rate(at: last).brief) in the last, update \(last) (epoch \(endEpoch(options)))"
        )
    }
}

extension TrainingOptions {
    /// Flags that were given but have no effect, each with its purpose.
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
            ("--macrobatch-size", largeBatch.macrobatchSize != 0 && !isLBSGD, "--optimizer lbsgd"),
            ("--warmup-strategy", largeBatch.warmupStrategy != .linear && !isLBSGD, "--optimizer lbsgd"),
            ("--monitor-pattern", run.monitorPattern != ".*" && run.monitor == 0, "--monitor"),
            ("--fixed-parts", job.fixedParts == 1 && !job.isShared, "--kv-store dist_sync"),
            ("--tta", views != .none && !hasValidation, "--data-val"),
        ]
        return idle.filter(\.isIdle).map { .warning("\($0.flag) has no effect here: it requires \($0.purpose)") }
    }
}
