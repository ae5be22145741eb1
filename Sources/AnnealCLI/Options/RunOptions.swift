import Anneal
import ArgumentParser

extension FitOptions.Keep: ExpressibleByArgument {}
extension FitOptions.NonFinitePolicy: ExpressibleByArgument {}
extension FitOptions.SaveErrorPolicy: ExpressibleByArgument {}

/// What a run saves and tells, and when it ends before its last epoch.
struct RunOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Save PREFIX-symbol.json and PREFIX-NNNN.params (default: in the run folder).", valueName: "PREFIX"))
    var modelPrefix: String?
    @Option(help: ArgumentHelp("Epochs between checkpoints.", valueName: "N"))
    var savePeriod: Int = 1
    @Option(
        help: ArgumentHelp(
            "Checkpoints that stay: best (by validation accuracy), last or all (default: all with --model-prefix, else last).",
            valueName: "KIND"))
    var save: FitOptions.Keep?
    @Option(
        help: ArgumentHelp(
            "Save the run's state every N updates, also inside an epoch, for 'anneal resume'.", valueName: "N"))
    var saveSteps: Int?
    @Option(
        help: ArgumentHelp(
            "Go on from this checkpoint of --model-prefix; in fine-tune, of --pretrained-model.", valueName: "N"))
    var loadEpoch: Int?
    @Option(
        help: ArgumentHelp(
            "End the run when the validation accuracy has not risen for N epochs.", valueName: "N"))
    var earlyStopping: Int?
    @Option(
        help: ArgumentHelp(
            "When the loss or a gradient is not finite: stop, or skip the step and count it.", valueName: "stop|skip"))
    var onNan: FitOptions.NonFinitePolicy = .stop
    @Option(
        help: ArgumentHelp(
            "When something cannot be saved, e.g. on a full disk: stop, or warn and train on.", valueName: "stop|warn"))
    var onSaveError: FitOptions.SaveErrorPolicy = .stop
    @Option(help: ArgumentHelp("Batches between speed lines.", valueName: "N"))
    var dispBatches: Int = 20
    @Option(
        help: ArgumentHelp("Where the log, metrics and curves go (default: runs/DATE-COMMAND).", valueName: "FOLDER"))
    var runFolder: String?

    func check() throws {
        let counts: [(String, Int?)] = [
            ("--disp-batches", dispBatches), ("--save-period", savePeriod), ("--save-steps", saveSteps),
            ("--early-stopping", earlyStopping),
        ]
        for case (let flag, let value?) in counts where value < 1 {
            throw UsageError(flag, "is \(value)", suggestion: "it must be at least 1")
        }
        if let earlyStopping, earlyStopping > 1_000_000 {
            throw UsageError(
                "--early-stopping", "is \(earlyStopping)", suggestion: "it is at most 1000000; leave it out")
        }
        if let loadEpoch, loadEpoch < 0 {
            throw UsageError("--load-epoch", "is \(loadEpoch)", suggestion: "it must not be negative")
        }
        if let modelPrefix, modelPrefix.isEmpty || modelPrefix.hasSuffix("/") {
            throw UsageError(
                "--model-prefix '\(modelPrefix)'", "names no file", suggestion: "write it as models/resnet-20")
        }
    }

    /// Refuses what looks at the validation accuracy where there is none.
    func check(hasValidation: Bool) throws {
        guard !hasValidation else { return }
        for (flag, isGiven) in [("--save best", save == .best), ("--early-stopping", earlyStopping != nil)]
        where isGiven {
            throw UsageError(flag, "looks at the validation accuracy", suggestion: "give --data-val")
        }
    }

    /// Where the model is saved and gone on from; nil: in a new run folder.
    var ownPrefix: String? { modelPrefix ?? runFolder.map(Self.prefix(inFolder:)) }

    /// The prefix of the model in a run folder.
    static func prefix(inFolder folder: String) -> String { Files.path(folder, "model") }

    var keep: FitOptions.Keep { save ?? (modelPrefix == nil ? .last : .all) }

    func fitOptions(
        metrics: CompositeMetric, prefix: String, views: TestTimeViews, observers: [any FitObserver],
        shouldStop: @escaping @Sendable () -> Bool
    ) -> FitOptions {
        FitOptions(
            metrics: metrics, modelPrefix: prefix, savePeriod: savePeriod,
            keep: keep, saveSteps: saveSteps, earlyStopping: earlyStopping,
            onNonFinite: onNan, onSaveError: onSaveError, views: views, observers: observers, shouldStop: shouldStop)
    }
}
