import Anneal

/// What a training run begins with.
enum RunOrigin {
    case beginning
    /// An epoch's checkpoint, of Anneal or of MXNet.
    case checkpoint(prefix: String, epoch: Int)
    /// A saved state, at this path.
    case state(String)

    /// The seed that was saved; nil without a state.
    func savedSeed() throws -> UInt64? {
        switch self {
        case .beginning: return nil
        case .checkpoint(let prefix, let epoch):
            let path = Checkpoint.resumePath(prefix, epoch)
            return Files.exists(path) ? try Trainer.savedSeed(path) : nil
        case .state(let path): return try Trainer.savedSeed(path)
        }
    }

    /// The first epoch, as far as it is known without the state.
    var epoch: Int {
        if case .checkpoint(_, let epoch) = self { return epoch }
        return 0
    }

    /// Takes what is saved into a trainer.
    func restore(_ trainer: Trainer) throws -> (progress: FitProgress, note: FitEvent?) {
        switch self {
        case .beginning:
            return (FitProgress(position: FitPosition(epoch: 0)), nil)
        case .state(let path):
            return (try trainer.restoreState(path), .note("Resumed from \(path)"))
        case .checkpoint(let prefix, let epoch):
            guard var progress = try trainer.restore(prefix: prefix, epoch: epoch) else {
                return (
                    FitProgress(position: FitPosition(epoch: epoch)),
                    .warning(
                        "\(Checkpoint.resumePath(prefix, epoch)) is not there: the optimizer starts anew, as in MXNet's scripts"
                    )
                )
            }
            // The flag's number counts: a converted checkpoint may have another.
            progress.position = FitPosition(epoch: epoch)
            return (
                progress,
                .note("Resumed from \(Checkpoint.parametersPath(prefix, epoch)) with the optimizer's state")
            )
        }
    }
}
