import Anneal
import ArgumentParser

/// The learning rate and how it changes.
struct ScheduleOptions: ParsableArguments, Encodable {
    enum Kind: String, ExpressibleByArgument, CaseIterable, Encodable {
        case steps, cosine, linear, oneCycle = "one-cycle", plateau
    }

    /// A number of epochs, or with a percent sign a share of the run's.
    struct Span: ExpressibleByArgument, Encodable, CustomStringConvertible {
        let value: Double
        let description: String
        var isShare: Bool { description.hasSuffix("%") }

        init?(argument: String) {
            guard let value = Double(argument.hasSuffix("%") ? String(argument.dropLast()) : argument) else {
                return nil
            }
            self.value = value
            description = argument
        }

        func epochs(of all: Int) -> Double { isShare ? value / 100 * Double(all) : value }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if isShare { try container.encode(description) } else { try container.encode(value) }
        }
    }

    @Option(
        help: ArgumentHelp(
            "Learning rate; for a schedule that rises, its maximum (\(ScriptDefaults.text(\.lr.brief))).",
            valueName: "RATE"))
    var lr: Double?
    @Option(
        help: ArgumentHelp(
            "steps (MXNet's), cosine, linear, one-cycle or plateau.",
            discussion: """
                steps: falls by --lr-factor at each of --lr-step-epochs. cosine, linear: from --lr down to --lr-end at the \
                last epoch. one-cycle: from --lr-begin up to --lr over --warmup-epochs and down to --lr-end, along cosines \
                (Smith and Topin 2018). plateau: falls by --lr-factor when the validation accuracy has not risen for \
                more than --lr-patience epochs.
                """, valueName: "KIND"))
    var lrSchedule: Kind = .steps
    @Option(help: ArgumentHelp("Factor for the rate at each step.", valueName: "FACTOR"))
    var lrFactor: Double = 0.1
    @Option(
        help: ArgumentHelp(
            "Epochs at which the rate falls, or 'pow2' to fall to zero with the square of the remaining updates (\(ScriptDefaults.text(\.lrStepEpochs))).",
            valueName: "E1,E2,..."))
    var lrStepEpochs: String?
    @Option(
        help: ArgumentHelp(
            "Epochs in which the rate rises to --lr, e.g. 2.5, or a percentage of the run's, e.g. 5% (default: 0; one-cycle: 30%).",
            valueName: "EPOCHS"))
    var warmupEpochs: Span?
    @Option(
        help: ArgumentHelp(
            "Learning rate at the beginning of the warm-up (default: 0; one-cycle: --lr/25).", valueName: "RATE"))
    var lrBegin: Double?
    @Option(
        help: ArgumentHelp(
            "The rate of the last update (default: 0; one-cycle: a ten-thousandth of --lr-begin).", valueName: "RATE"))
    var lrEnd: Double?
    @Option(
        help: ArgumentHelp("Epochs without improvement before the rate falls.", valueName: "N")
    )
    var lrPatience: Int = 10

    /// Whether --warmup-epochs is left to an optimizer that warms up itself: these schedules have no warm-up of their
    /// own.
    var leavesWarmUpToOptimizer: Bool { lrSchedule == .steps || lrSchedule == .plateau }

    /// - Parameter optimizerWarmsUp: whether the optimizer uses --warmup-epochs if the schedule does not.
    func check(optimizerWarmsUp: Bool) throws {
        let numbers: [(String, Double?)] = [
            ("--lr", lr), ("--lr-factor", lrFactor), ("--warmup-epochs", warmupEpochs?.value), ("--lr-begin", lrBegin),
            ("--lr-end", lrEnd),
        ]
        for (flag, value) in numbers {
            if let value, !value.isFinite { throw UsageError(flag, "is \(value)", suggestion: "give a number") }
            if let value, value < 0 {
                throw UsageError(flag, "is \(value)", suggestion: "it must not be negative")
            }
        }
        guard lrPatience >= 0 else {
            throw UsageError("--lr-patience", "is \(lrPatience)", suggestion: "it must not be negative")
        }
        if lrSchedule != .steps, let lrStepEpochs, !lrStepEpochs.isEmpty {
            throw UsageError(
                "--lr-step-epochs \(lrStepEpochs)", "is for the schedule steps, but this one is \(lrSchedule.rawValue)",
                suggestion: "leave it out, or, where a run or a file gives it, --lr-step-epochs ''")
        }
        if leavesWarmUpToOptimizer {
            for (flag, value) in [
                ("--warmup-epochs", optimizerWarmsUp ? nil : warmupEpochs?.value), ("--lr-begin", lrBegin),
                ("--lr-end", lrEnd),
            ]
            where value ?? 0 != 0 {
                throw UsageError(
                    flag, "has no effect on the schedule \(lrSchedule.rawValue)",
                    suggestion:
                        "choose --lr-schedule cosine, linear or one-cycle, or, where a recipe gives it, \(flag) 0")
            }
        }
    }

    func check(hasValidation: Bool) throws {
        guard hasValidation || lrSchedule != .plateau else {
            throw UsageError("--lr-schedule plateau", "needs the validation accuracy", suggestion: "give --data-val")
        }
    }

    /// The schedule of a run of `numEpochs` epochs.
    ///
    /// - Parameters:
    ///   - script: the defaults for --lr and --lr-step-epochs.
    ///   - loadEpoch: completed epochs that the optimizer does not count, as with MXNet's checkpoints.
    func schedule(
        _ script: ScriptDefaults, numExamples: Int, batchSize: Int, loadEpoch: Int, numEpochs: Int
    ) throws -> FitSchedule {
        let lr = lr ?? script.lr
        var result = try fitSchedule(
            lr: lr, factor: lrFactor, stepEpochs: lrSchedule == .steps ? lrStepEpochs ?? script.lrStepEpochs : nil,
            numExamples: numExamples, batchSize: batchSize, loadEpoch: loadEpoch, numEpochs: numEpochs)
        let updates = (numEpochs - loadEpoch) * result.epochSize
        func rise(_ span: Span) throws -> Int {
            let epochs = span.epochs(of: numEpochs - loadEpoch)
            guard epochs < Double(numEpochs - loadEpoch) else {
                throw AnnealError(
                    "--warmup-epochs \(span)", "covers all of the \(numEpochs - loadEpoch) epochs",
                    suggestion: "give fewer")
            }
            return Int((epochs * Double(result.epochSize)).rounded())
        }
        switch lrSchedule {
        case .steps: break
        case .cosine, .linear:
            let warmUp = WarmUp(steps: try warmupEpochs.map(rise) ?? 0, beginRate: lrBegin ?? 0)
            result.schedule =
                lrSchedule == .cosine
                ? try CosineScheduler(maxUpdate: updates, baseRate: lr, finalRate: lrEnd ?? 0, warmUp: warmUp)
                : try PolyScheduler(maxUpdate: updates, baseRate: lr, power: 1, finalRate: lrEnd ?? 0, warmUp: warmUp)
        case .oneCycle:
            let begin = lrBegin ?? lr / 25, end = lrEnd ?? begin / 1e4
            guard begin > 0, end > 0 else {
                throw AnnealError(
                    "--lr-begin and --lr-end", "are not both above 0", suggestion: "one-cycle needs positive rates")
            }
            let share = try warmupEpochs.map { Double(try rise($0)) / Double(updates) } ?? 0.3
            result.schedule = try OneCycleScheduler(
                maxUpdate: updates, baseRate: lr, riseShare: share, division: lr / begin, finalDivision: begin / end)
        case .plateau:
            result.schedule = try PlateauScheduler(baseRate: lr, factor: lrFactor, patience: lrPatience)
        }
        return result
    }
}
