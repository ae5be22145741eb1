import AnnealCore
import AnnealGraph

extension FitRun {
    /// Whether the run's state is to be saved after this update.
    var stepIsDue: Bool {
        options.saveSteps.map { trainer.isBetweenUpdates && trainer.updates % $0 == 0 } ?? false
    }

    private var epochIsDue: Bool { progress.position.epoch % max(options.savePeriod, 1) == 0 || isOver }

    mutating func saveEpoch(isBest: Bool) throws {
        let isDue = epochIsDue
        if options.keep != .best && isDue || options.keep.keepsBest && isBest {
            try saveCheckpoint(isBest: isBest)
        } else if isDue || stepIsDue {
            try saveState()
        }
    }

    /// Completes the checkpoint of a run that was killed while saving: its state was written, its parameters were not.
    /// Parameters of an earlier run with the same number may exist.
    mutating func finishSaving() throws {
        let number = progress.position.epoch, isBest = progress.best?.checkpoint == number
        guard let prefix = options.modelPrefix, resumes, progress.position.batch == 0, number > 0,
            options.keep != .best && epochIsDue || options.keep.keepsBest && isBest,
            try !trainer.isSaved(Checkpoint.parametersPath(prefix, number))
        else { return }
        try saveCheckpoint(isBest: isBest)
    }

    private mutating func saveCheckpoint(isBest: Bool) throws {
        guard let prefix = options.modelPrefix else { return }
        let number = progress.position.epoch, earlier = progress
        progress.superseded = progress.superseded.filter { $0 != number } + (options.keep == .all ? [] : [number])
        if isBest { progress.savedBest = number }
        let isSaved = try saving { run in
            // Before the parameters: a checkpoint always has a state to resume from.
            let state = Checkpoint.latestPath(prefix)
            try run.trainer.saveState(to: state, run.progress)
            run.stateIsUnsaved = false
            try run.trainer.save(prefix: prefix, epoch: number, state: state)
        }
        guard isSaved else {
            (progress.superseded, progress.savedBest) = (earlier.superseded, earlier.savedBest)
            unsaved.insert(number)
            return
        }
        unsaved.remove(number)
        removeSuperseded()
        try options.tell(.saved(epoch: number, path: Checkpoint.parametersPath(prefix, number)))
    }

    /// Removes the checkpoints that are not kept. A run that was killed before this does it when it resumes.
    mutating func removeSuperseded() {
        guard let prefix = options.modelPrefix else { return }
        let newest = progress.superseded.last
        let stays: [Int?] =
            switch options.keep {
            case .all: progress.superseded
            case .last: [newest]
            case .best: [progress.savedBest ?? newest]
            case .bestAndLast: [progress.savedBest, newest]
            }
        if trainer.parameters.engine.isFirstProcess {
            for old in progress.superseded where !stays.contains(old) { Checkpoint.remove(prefix: prefix, epoch: old) }
        }
        progress.superseded.removeAll { !stays.contains($0) }
    }

    mutating func saveState() throws {
        guard let prefix = options.modelPrefix else { return }
        progress.keep(metrics)
        _ = try saving { run in
            try run.trainer.saveState(to: Checkpoint.latestPath(prefix), run.progress)
            run.stateIsUnsaved = false
        }
    }

    /// At the end of the run, tries again to save what could not be saved.
    /// - Returns: the files that are still missing, each with the content it would have.
    mutating func saveTheRest() throws -> [String] {
        guard let prefix = options.modelPrefix else { return [] }
        let position = progress.position, best = progress.best?.checkpoint
        if unsaved.contains(position.epoch), position.batch == 0 {
            try saveCheckpoint(isBest: best == position.epoch)
        } else if stateIsUnsaved {
            try saveState()
        }
        let missing = unsaved.sorted().filter { number in
            switch options.keep {
            case .all: true
            case .last: number == position.epoch
            case .best: number == best
            case .bestAndLast: number == best || number == position.epoch
            }
        }
        return missing.map { number -> String in
            let what = number == best ? ", the best" : number == position.epoch ? ", the last" : ""
            return "\(Checkpoint.parametersPath(prefix, number)) (checkpoint \(number)\(what))"
        } + (stateIsUnsaved ? ["\(Checkpoint.latestPath(prefix)) (the state at the end, to resume from)"] : [])
    }

    /// If it throws, earlier files are unchanged.
    /// - Returns: whether everything was saved.
    private mutating func saving(_ body: (inout FitRun) throws -> Void) throws -> Bool {
        if let place = try trainer.firstNonFiniteValue() {
            throw AnnealError(
                "update \(trainer.updates)", "\(place) holds a NaN or an infinity",
                suggestion: "what was saved before is kept; lower --lr", code: .notFinite)
        }
        try trainer.training.collectStates()
        guard trainer.parameters.engine.isFirstProcess else {
            (stateIsUnsaved, saved) = (false, progress.position)
            return true
        }
        stateIsUnsaved = true
        do {
            do {
                try body(&self)
            } catch is AnnealError {
                // Try again at once: the folder may have been deleted in the meantime.
                try body(&self)
            }
            saved = progress.position
            return true
        } catch var error as AnnealError {
            guard options.onSaveError == .warn else {
                error.suggestion =
                    "what was saved before is kept; \(error.suggestion ?? "make room"), or train on with "
                    + "--on-save-error warn"
                throw error
            }
            try options.tell(.warning("not saved, training continues: \(error)"))
            return false
        }
    }
}

extension Trainer {
    /// Whether a file holds the parameters that are validated and saved now.
    fileprivate func isSaved(_ path: String) throws -> Bool {
        guard Files.exists(path), let stored = try? Checkpoint(symbol: symbol, arrays: ParamsFile.read(path)) else {
            return false
        }
        return try withValidatedWeights {
            try parameters.names.allSatisfy { name in
                try (stored.arguments[name] ?? stored.auxiliary[name]) == parameters.tensor(name)
            }
        }
    }
}
