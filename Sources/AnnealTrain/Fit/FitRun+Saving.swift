import AnnealCore

extension FitRun {
    /// Whether the run's state is to be saved after this update.
    var stepIsDue: Bool {
        options.saveSteps.map { trainer.isBetweenUpdates && trainer.updates % $0 == 0 } ?? false
    }

    mutating func saveEpoch(isBest: Bool) throws {
        let number = progress.position.epoch
        let isDue = number % max(options.savePeriod, 1) == 0 || isOver
        if options.keep == .best ? isBest : isDue {
            try saveCheckpoint(number)
        } else if isDue || stepIsDue {
            try saveState()
        }
    }

    private mutating func saveCheckpoint(_ number: Int) throws {
        guard let prefix = options.modelPrefix else { return }
        let earlier = progress.superseded
        if options.keep != .all { progress.superseded = earlier.filter { $0 != number } + [number] }
        let isSaved = try saving {
            try $0.trainer.save(prefix: prefix, epoch: number, $0.progress)
            try Files.linkAtomically(Checkpoint.resumePath(prefix, number), to: Checkpoint.latestPath(prefix))
        }
        guard isSaved else {
            progress.superseded = earlier
            return
        }
        removeSuperseded()
        try options.tell(.saved(epoch: number, path: Checkpoint.parametersPath(prefix, number)))
    }

    /// Removes all but the newest of the checkpoints that are not to stay. A run that is killed before it gets here does so
    /// when it goes on.
    mutating func removeSuperseded() {
        guard let prefix = options.modelPrefix else { return }
        for old in progress.superseded.dropLast() { Checkpoint.remove(prefix: prefix, epoch: old) }
        progress.superseded = progress.superseded.suffix(1)
    }

    mutating func saveState() throws {
        guard let prefix = options.modelPrefix else { return }
        progress.keep(metrics)
        _ = try saving { try $0.trainer.saveState(to: Checkpoint.latestPath(prefix), $0.progress) }
    }

    /// Earlier files are as they were when this throws.
    /// - Returns: whether all was saved.
    private mutating func saving(_ body: (FitRun) throws -> Void) throws -> Bool {
        if let place = trainer.firstNonFiniteValue() {
            throw AnnealError(
                "update \(trainer.updates)", "\(place) holds a NaN or an infinity",
                suggestion: "what was saved is as it was; lower --lr")
        }
        do {
            try body(self)
            saved = progress.position
            return true
        } catch let error as AnnealError {
            guard options.onSaveError == .warn else {
                throw AnnealError(
                    error.place, error.problem,
                    suggestion: error.suggestion
                        ?? "what was saved before is as it was; make room, or train on with --on-save-error warn")
            }
            try options.tell(.warning("not saved, training goes on: \(error)"))
            return false
        }
    }
}
