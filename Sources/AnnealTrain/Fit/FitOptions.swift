import AnnealCore

/// The options of a training run that do not concern its steps.
public struct FitOptions {
    /// Which of a run's checkpoints are kept.
    public enum Keep: String, Sendable, CaseIterable, Codable {
        /// The best validation so far, by the first metric.
        case best
        case last
        /// Both of them.
        case bestAndLast = "best-last"
        case all

        var keepsBest: Bool { self == .best || self == .bestAndLast }
    }
    /// What to do when the loss or a gradient is not finite.
    public enum NonFinitePolicy: String, Sendable, CaseIterable, Codable {
        case stop
        /// Drops the step: no update. The trainer must have been created with `canDropSteps`.
        case skip
    }
    /// What to do when something cannot be saved, e.g. because the disk is full.
    public enum SaveErrorPolicy: String, Sendable, CaseIterable, Codable {
        case stop
        /// Reports it and continues. Saving is tried again at the end; what is still missing is listed in
        /// `RunEnd.missing`.
        case warn
    }

    public var metrics: CompositeMetric
    /// The prefix of checkpoints and of the run's state, as MXNet's `--model-prefix`; nil saves none.
    public var modelPrefix: String?
    /// Epochs between checkpoints; the last epoch is always saved, and with `keep` `.best` and `.bestAndLast` each best
    /// one.
    public var savePeriod: Int
    public var keep: Keep
    /// Updates between saves of the run's state inside an epoch; nil: only at the end of an epoch.
    public var saveSteps: Int?
    /// Ends the run when the validation has not improved for this many epochs.
    public var earlyStopping: Int?
    public var onNonFinite: NonFinitePolicy
    public var onSaveError: SaveErrorPolicy
    /// Test-time augmentation of the validation after the last epoch. After other epochs the network sees each image
    /// once: every view costs another pass.
    public var views: TestTimeViews
    public var observers: [any FitObserver]
    /// Receives every batch of a validation, one view of each image, with the model's output. The memory is valid only
    /// during the call.
    public var judged: (any BatchSource, MetricBatch) throws -> Void = { _, _ in }
    /// Called after every step: true ends the run as if a signal had arrived.
    public var shouldStop: @Sendable () -> Bool

    public init(
        metrics: CompositeMetric = CompositeMetric([Accuracy(), CrossEntropy()]), modelPrefix: String? = nil,
        savePeriod: Int = 1, keep: Keep = .all, saveSteps: Int? = nil, earlyStopping: Int? = nil,
        onNonFinite: NonFinitePolicy = .stop, onSaveError: SaveErrorPolicy = .stop, views: TestTimeViews = .none,
        observers: [any FitObserver] = [], shouldStop: @escaping @Sendable () -> Bool = { false }
    ) {
        self.metrics = metrics
        self.modelPrefix = modelPrefix
        self.savePeriod = savePeriod
        self.keep = keep
        self.saveSteps = saveSteps
        self.earlyStopping = earlyStopping
        self.onNonFinite = onNonFinite
        self.onSaveError = onSaveError
        self.views = views
        self.observers = observers
        self.shouldStop = shouldStop
    }

    /// Whether the validation has not improved for `earlyStopping` epochs.
    public func stopsEarly(_ progress: FitProgress) -> Bool {
        guard let earlyStopping, let best = progress.best else { return false }
        return progress.position.epoch > best.epoch + earlyStopping
    }

    func tell(_ event: FitEvent) throws {
        for observer in observers {
            do {
                try observer.receive(event)
            } catch {
                guard onSaveError == .warn else { throw error }
                // The observer that cannot write may be the only one that shows anything: it is told too.
                for other in observers { try? other.receive(.warning("\(error)")) }
            }
        }
    }
}
