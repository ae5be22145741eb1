import Anneal
import ArgumentParser

/// The flags of a training run that determine what a step consists of.
struct StepOptions: ParsableArguments {
    @Option(help: ArgumentHelp("As train --clip-norm: updates wait for all gradients.", valueName: "NORM"))
    var clipNorm: Double?
    @Option(help: "As train --on-nan: with 'skip', updates wait for all gradients.")
    var onNan: FitOptions.NonFinitePolicy = .stop
    @Option(
        help: ArgumentHelp(
            "As train --accumulate: updates over several batches, with gradients added in memory.", valueName: "N"))
    var accumulate: Int = 1
    @Option(help: ArgumentHelp("As train --ema-decay: a moving average of the weights.", valueName: "D"))
    var emaDecay: Double?
    @Option(help: ArgumentHelp("As train --lookahead: slow weights, which follow every N updates.", valueName: "N"))
    var lookahead: Int?

    func check() throws {
        if let clipNorm, !(clipNorm > 0 && clipNorm.isFinite) {
            throw UsageError("--clip-norm", "is \(clipNorm)", suggestion: "it must be above 0")
        }
        guard (1...1 << 20).contains(accumulate) else {
            throw UsageError("--accumulate", "is \(accumulate)", suggestion: "it must be at least 1")
        }
        try WeightAveraging.check(emaDecay: emaDecay, lookahead: lookahead)
    }

    /// For steps that run.
    var settings: Workload.StepSettings {
        Workload.StepSettings(
            clipNorm: clipNorm, canDropSteps: onNan == .skip, accumulation: accumulate, averaging: averaging)
    }

    var averaging: WeightAveraging? { .flags(emaDecay: emaDecay, lookahead: lookahead) }

    /// SGD with momentum; without these flags, large parameters are updated within the backward pass.
    var update: TrainingUpdate {
        var update = TrainingUpdate(SGD(momentum: 0.9))
        update.limitsNorm = clipNorm != nil
        update.isGuarded = onNan == .skip
        update.accumulation = accumulate
        update.averaging = averaging?.kind
        return update
    }

    /// The flags that make updates wait.
    var waits: [String] { (clipNorm == nil ? [] : ["--clip-norm"]) + (onNan == .skip ? ["--on-nan skip"] : []) }
}
