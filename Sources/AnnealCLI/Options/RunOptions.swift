import Anneal
import ArgumentParser

extension FitOptions.Keep: ExpressibleByArgument {}
extension FitOptions.NonFinitePolicy: ExpressibleByArgument {}
extension FitOptions.SaveErrorPolicy: ExpressibleByArgument {}

/// What a run saves and reports, and when it ends before its last epoch.
struct RunOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Save PREFIX-symbol.json and PREFIX-NNNN.params (default: in the run folder).", valueName: "PREFIX"))
    var modelPrefix: String?
    @Option(help: ArgumentHelp("Epochs between checkpoints.", valueName: "N"))
    var savePeriod: Int = 1
    @Option(
        help: ArgumentHelp(
            "Checkpoints to keep: best (by validation accuracy), last, best-last or all (default: all with --model-prefix, else best-last).",
            valueName: "KIND"))
    var save: FitOptions.Keep?
    @Option(
        help: ArgumentHelp(
            "Save the run's state every N updates, even inside an epoch, for 'anneal resume'.", valueName: "N"))
    var saveSteps: Int?
    @Option(
        help: ArgumentHelp(
            "train: continue from this checkpoint of --model-prefix; fine-tune: start from this one of --pretrained-model. A number, best or last.",
            valueName: "N"), completion: .list(["best", "last"]))
    var loadEpoch: CheckpointChoice?
    @Flag(
        help:
            "With --load-epoch: load only the weights, as MXNet's scripts do; the optimizer and its schedule start again."
    )
    var resetOptimizer = false
    @Option(
        help: ArgumentHelp(
            "End the run when the validation accuracy has not improved for N epochs; 0: off.", valueName: "N"))
    var earlyStopping: Int?
    @Option(
        help: ArgumentHelp(
            "When the loss or a gradient is not finite: stop, or skip the step and count it.", valueName: "stop|skip"))
    var onNan: FitOptions.NonFinitePolicy = .stop
    @Option(
        help: ArgumentHelp(
            "When a checkpoint cannot be saved, e.g. on a full disk: stop, or warn, continue training and try again at the end.",
            valueName: "stop|warn"))
    var onSaveError: FitOptions.SaveErrorPolicy = .stop
    @Option(help: ArgumentHelp("Batches between speed lines.", valueName: "N"))
    var dispBatches: Int = 20
    @Option(
        help: ArgumentHelp("Folder for the log, metrics and curves (default: runs/DATE-COMMAND).", valueName: "FOLDER"),
        completion: .directory)
    var runFolder: String?

    @Flag(help: "Show nothing but warnings and errors.")
    var quiet = false
    @Flag(help: "Print the run's events on standard output as JSON, one object per line, instead of the progress.")
    var json = false
    @Option(
        help: ArgumentHelp(
            "Every N batches, log the root mean square of outputs, parameters and gradients, as MXNet's monitor does; 0: off.",
            valueName: "N"))
    var monitor: Int = 0
    @Option(
        help: ArgumentHelp(
            "With --monitor: names to show, e.g. 'fc1|.*_grad'; the expression matches at the beginning of a name.",
            valueName: "REGEX"))
    var monitorPattern: String = ".*"
    @Option(
        help: ArgumentHelp(
            "Also write the run for TensorBoard, to a new folder below this one.", valueName: "FOLDER"),
        completion: .directory)
    var tensorboard: String?
    @Flag(help: "With --tensorboard: also histograms of weights and gradients after each epoch.")
    var histograms = false
    @Option(
        help: ArgumentHelp("Also write the run to this MLflow file store, e.g. mlruns.", valueName: "FOLDER"),
        completion: .directory)
    var mlflow: String?

    func check() throws {
        guard !quiet || !json else {
            throw UsageError("--quiet", "cannot be combined with --json", suggestion: "give one of them")
        }
        guard monitor >= 0 else {
            throw UsageError("--monitor", "is \(monitor)", suggestion: "it must be at least 1, or 0 for none")
        }
        _ = try monitoredNames()
        guard !histograms || tensorboard != nil else {
            throw UsageError(
                "--histograms", "are written to TensorBoard's files", suggestion: "give --tensorboard FOLDER too")
        }
        let counts: [(String, Int?)] = [
            ("--disp-batches", dispBatches), ("--save-period", savePeriod), ("--save-steps", saveSteps),
        ]
        for case (let flag, let value?) in counts where value < 1 {
            throw UsageError(flag, "is \(value)", suggestion: "it must be at least 1")
        }
        if let earlyStopping, !(0...1_000_000).contains(earlyStopping) {
            throw UsageError(
                "--early-stopping", "is \(earlyStopping)",
                suggestion: "it is at least 0, which is off, and at most 1000000")
        }
        guard !resetOptimizer || loadEpoch != nil else {
            throw UsageError(
                "--reset-optimizer", "begins at a checkpoint", suggestion: "name it too: --load-epoch N, best or last")
        }
        if let modelPrefix, modelPrefix.isEmpty || modelPrefix.hasSuffix("/") {
            throw UsageError(
                "--model-prefix '\(modelPrefix)'", "is not a file name", suggestion: "write it as models/resnet-20")
        }
    }

    /// --monitor-pattern
    func monitoredNames() throws -> Regex<AnyRegexOutput> {
        do {
            return try Regex(monitorPattern)
        } catch {
            throw UsageError(
                "--monitor-pattern '\(monitorPattern)'", "is not a regular expression",
                suggestion: "write it as 'fc1' or '(conv|bn).*_grad'")
        }
    }

    /// Refuses flags that need the validation accuracy if there is none.
    func check(hasValidation: Bool) throws {
        guard !hasValidation else { return }
        for (flag, isGiven) in [
            ("--save best", save == .best), ("--save best-last", save == .bestAndLast),
            ("--early-stopping", patience != nil),
        ]
        where isGiven {
            throw UsageError(flag, "needs the validation accuracy", suggestion: "give --data-val")
        }
    }

    /// Where the model is saved and resumed from; nil: in a new run folder.
    var ownPrefix: String? { modelPrefix ?? runFolder.map(Self.prefix(inFolder:)) }

    /// The prefix of the model in a run folder.
    static func prefix(inFolder folder: String) -> String { Files.path(folder, "model") }

    /// --early-stopping; nil: off.
    var patience: Int? { earlyStopping.flatMap { $0 > 0 ? $0 : nil } }

    var keep: FitOptions.Keep { save ?? (modelPrefix == nil ? .bestAndLast : .all) }

    func fitOptions(
        metrics: CompositeMetric, prefix: String, views: TestTimeViews, observers: [any FitObserver],
        shouldStop: @escaping @Sendable () -> Bool
    ) -> FitOptions {
        FitOptions(
            metrics: metrics, modelPrefix: prefix, savePeriod: savePeriod,
            keep: keep, saveSteps: saveSteps, earlyStopping: patience,
            onNonFinite: onNan, onSaveError: onSaveError, views: views, observers: observers, shouldStop: shouldStop)
    }
}
