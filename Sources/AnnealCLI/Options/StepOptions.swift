import Anneal
import ArgumentParser

/// What of a training run decides how a step is planned.
struct StepOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Plan steps as train --clip-norm does: updates wait for all gradients.", valueName: "NORM"))
    var clipNorm: Double?
    @Option(help: "Plan steps as train --on-nan does: with 'skip', updates wait for all gradients.")
    var onNan: FitOptions.NonFinitePolicy = .stop
    @Option(
        help: ArgumentHelp("Plan updates over several batches, with gradients added in memory.", valueName: "N"))
    var accumulate: Int = 1

    func check() throws {
        if let clipNorm, !(clipNorm > 0 && clipNorm.isFinite) {
            throw UsageError("--clip-norm", "is \(clipNorm)", suggestion: "it must be above 0")
        }
        guard (1...1 << 20).contains(accumulate) else {
            throw UsageError("--accumulate", "is \(accumulate)", suggestion: "it must be at least 1")
        }
    }

    /// SGD with momentum; without more, large parameters are updated within the backward pass.
    var update: TrainingUpdate {
        var update = TrainingUpdate(SGD(momentum: 0.9))
        update.limitsNorm = clipNorm != nil
        update.isGuarded = onNan == .skip
        update.accumulation = accumulate
        return update
    }

    /// The flags for which updates wait.
    var waits: [String] { (clipNorm == nil ? [] : ["--clip-norm"]) + (onNan == .skip ? ["--on-nan skip"] : []) }
}
