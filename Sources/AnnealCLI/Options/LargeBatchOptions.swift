import Anneal
import ArgumentParser

extension LBSGD.Strategy: ExpressibleByArgument, Encodable {}

/// The large batches of the optimizer lbsgd, which MXNet's fit.py accumulates from the given ones.
struct LargeBatchOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "For the optimizer lbsgd: number of images accumulated for one update of the weights; 0: one batch.",
            valueName: "N"))
    var macrobatchSize: Int = 0
    @Option(
        help: ArgumentHelp(
            "How lbsgd's learning rate rises over --warmup-epochs (5 by default) to --lr times the batches of a macrobatch; lars: scale by each layer's norms instead.",
            valueName: "KIND"))
    var warmupStrategy: LBSGD.Strategy = .linear

    /// Warm-up epochs if --warmup-epochs is not given, as in MXNet.
    private static let usualWarmUp = 5.0

    func check(isLBSGD: Bool, _ schedule: ScheduleOptions) throws {
        guard (0...1 << 40).contains(macrobatchSize) else {
            throw UsageError(
                "--macrobatch-size", "is \(macrobatchSize)", suggestion: "it is a number of images, or 0 for one batch")
        }
        guard !isLBSGD || macrobatchSize == 0 || schedule.leavesWarmUpToOptimizer else {
            throw UsageError(
                "--macrobatch-size", "cannot be combined with --lr-schedule \(schedule.lrSchedule.rawValue)",
                suggestion: "lbsgd scales the learning rate itself: choose --lr-schedule steps")
        }
    }

    /// lbsgd's own options.
    ///
    /// - Parameters:
    ///   - updateSize: images per update: batch size times --accumulate.
    ///   - passedEpochs: completed epochs that the optimizer has not counted.
    func optimizerOptions(
        _ options: ScheduleOptions, _ schedule: FitSchedule, updateSize: Int, passedEpochs: Int, endEpoch: Int
    ) throws -> [String: OptionValue] {
        let scale = (max(macrobatchSize, updateSize) + updateSize - 1) / updateSize
        let epochs = endEpoch - passedEpochs
        guard scale == 1 || scale <= epochs * schedule.epochSize else {
            throw UsageError(
                "--macrobatch-size \(macrobatchSize)",
                "takes \(scale) updates, but the run has \(epochs * schedule.epochSize)",
                suggestion: "the weights would never change: use a smaller one")
        }
        var warmUp = Self.usualWarmUp
        if let span = options.warmupEpochs, options.leavesWarmUpToOptimizer {
            // The share need not be an integer: the run may be continued with more epochs.
            warmUp = span.isShare ? span.epochs(of: epochs).rounded() : span.value
            guard warmUp == warmUp.rounded(), warmUp <= 1_000_000 else {
                throw UsageError(
                    "--warmup-epochs \(span)", "is not a whole number of epochs",
                    suggestion: "lbsgd counts whole ones, as MXNet's does")
            }
        }
        return [
            "batch_scale": .number(Double(scale)), "warmup_strategy": .text(warmupStrategy.rawValue),
            "warmup_epochs": .number(warmUp), "updates_per_epoch": .number(Double(max(1, schedule.epochSize))),
            "begin_epoch": .number(Double(passedEpochs)),
        ]
    }

    /// The log's line about large batches; nil if there are none.
    static func note(_ rule: any OptimizerRule, updateSize: Int) -> FitEvent? {
        guard let rule = rule as? LBSGD, rule.batchScale > 1 else { return nil }
        let rise =
            rule.strategy == .lars
            ? "each layer has its own learning rate (lars)"
            : "the learning rate rises to \(rule.batchScale) times within \(rule.warmUpEpochs) \(rule.warmUpEpochs == 1 ? "epoch" : "epochs") (\(rule.strategy.rawValue))"
        return .note(
            "Macrobatch: the weights change once in \(rule.batchScale) updates, by the gradients of \(rule.batchScale * updateSize) images; \(rise)"
        )
    }
}
