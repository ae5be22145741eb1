import Anneal

/// What a training run starts from.
enum RunOrigin {
    case beginning
    /// An epoch's checkpoint, of Anneal or of MXNet.
    /// - resetsOptimizer: whether only its weights are used.
    case checkpoint(prefix: String, epoch: Int, resetsOptimizer: Bool)
    /// A saved state, at this path.
    case state(String)

    /// The saved part of the run; nil without a state.
    func saved() throws -> SavedRun? {
        switch self {
        case .beginning: return nil
        case .checkpoint(let prefix, let epoch, _):
            let path = Checkpoint.resumePath(prefix, epoch)
            return Files.exists(path) ? try Trainer.savedRun(path) : nil
        case .state(let path): return try Trainer.savedRun(path)
        }
    }

    /// The first epoch, as far as it is known without the state.
    var epoch: Int {
        if case .checkpoint(_, let epoch, _) = self { return epoch }
        return 0
    }

    var isState: Bool {
        if case .state = self { return true }
        return false
    }

    /// Whether the optimizer's counts begin with the run, even if there is a state.
    var resetsOptimizer: Bool {
        if case .checkpoint(_, _, true) = self { return true }
        return false
    }

    /// Restores a trainer from what was saved.
    func restore(_ trainer: Trainer) throws -> (progress: FitProgress, note: FitEvent?) {
        switch self {
        case .beginning:
            return (FitProgress(position: FitPosition(epoch: 0)), nil)
        case .state(let path):
            return (try restoreLatest(trainer, path), .note("Resumed from \(path)"))
        case .checkpoint(let prefix, let epoch, true):
            try trainer.restoreParameters(prefix: prefix, epoch: epoch)
            let path = Checkpoint.parametersPath(prefix, epoch)
            let progress = try saved()?.progress ?? FitProgress(position: FitPosition(epoch: epoch))
            return (
                progress.withNewOptimizer(epoch: epoch),
                .note("Started from the weights of \(path), with a new optimizer")
            )
        case .checkpoint(let prefix, let epoch, false):
            guard let progress = try restoreWhole(trainer, prefix, epoch) else {
                let missing = Checkpoint.resumePath(prefix, epoch), states = Trainer.mxnetStatesPath(prefix, epoch)
                if Files.exists(states) {
                    do {
                        try trainer.restoreMXNetStates(states)
                    } catch let error as AnnealError {
                        throw Self.adding("load only the weights with --reset-optimizer", to: error)
                    }
                    return (
                        FitProgress(position: FitPosition(epoch: epoch)).withNewOptimizer(epoch: epoch),
                        .note(
                            "Resumed from \(Checkpoint.parametersPath(prefix, epoch)) with the optimizer's arrays of MXNet's \(states)"
                        )
                    )
                }
                return (
                    FitProgress(position: FitPosition(epoch: epoch)).withNewOptimizer(epoch: epoch),
                    .warning("\(missing) is not there: the optimizer starts again, as in MXNet's scripts")
                )
            }
            // The flag's number counts: a converted checkpoint may have another one.
            return (
                progress.renumbered(epoch: epoch),
                .note("Resumed from \(Checkpoint.parametersPath(prefix, epoch)) with the optimizer's state")
            )
        }
    }

    /// Suggests what to do if the state belongs to other flags, but the weights fit.
    private func restoreWhole(_ trainer: Trainer, _ prefix: String, _ epoch: Int) throws -> FitProgress? {
        do {
            return try trainer.restore(prefix: prefix, epoch: epoch)
        } catch let error as AnnealError {
            guard (try? trainer.restoreParameters(prefix: prefix, epoch: epoch)) != nil else { throw error }
            throw Self.adding("load only the weights with --reset-optimizer, as MXNet's scripts do", to: error)
        }
    }

    /// The same for the run's last state: the weights are those of its newest checkpoint.
    private func restoreLatest(_ trainer: Trainer, _ path: String) throws -> FitProgress {
        do {
            return try trainer.restoreState(path)
        } catch let error as AnnealError {
            let ending = Checkpoint.latestPath("")
            let prefix = path.hasSuffix(ending) ? String(path.dropLast(ending.count)) : path
            guard error.code == .mismatch, let newest = Checkpoint.numbers(prefix: prefix).last,
                (try? trainer.restoreParameters(prefix: prefix, epoch: newest)) != nil
            else { throw error }
            throw Self.adding(
                "load only a checkpoint's weights with --load-epoch last --reset-optimizer", to: error)
        }
    }

    private static func adding(_ wayOut: String, to error: AnnealError) -> AnnealError {
        var error = error
        error.suggestion = error.suggestion.map { "\($0), or \(wayOut)" } ?? wayOut
        return error
    }
}
