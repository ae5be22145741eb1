import AnnealCore

/// A metric's name and its value so far, e.g. `accuracy` 0.91.
public struct MetricValue: Sendable, Equatable {
    public var name: String
    public var value: Double

    public init(name: String, value: Double) {
        self.name = name
        self.value = value
    }
}

/// What a training run reports to its observers. Events carry all necessary data: observers never reach into the loop.
///
/// Epochs count from 0 here, as in MXNet's log, but from 1 in messages and in checkpoint numbers.
public enum FitEvent: Sendable {
    case started(RunStart)
    /// After every update; observers decide how often they print.
    case batch(BatchReport)
    /// Validation has processed more batches.
    case validating(epoch: Int, batch: Int, batches: Int)
    case epoch(EpochReport)
    case saved(epoch: Int, path: String)
    /// An informational message for the log, e.g. that AdaDelta ignores the learning rate.
    case note(String)
    /// A problem that the user should look at; the run continues.
    case warning(String)
    case finished(RunEnd)
}

/// The beginning of a run, before its first step.
public struct RunStart: Sendable {
    /// Where the run begins or resumes.
    public var position: FitPosition
    /// One past the last epoch, as MXNet's `--num-epochs`.
    public var endEpoch: Int
    public var batchSize: Int
    public var trainingCount: Int
    public var validationCount: Int?
    public var stepsPerEpoch: Int
    /// For a run that resumes inside an epoch: the epoch's valid samples and running averages so far.
    public var samples: Int
    public var metrics: [MetricValue]
    /// The best earlier validation.
    public var best: MetricValue?

    public init(
        position: FitPosition, endEpoch: Int, batchSize: Int, trainingCount: Int, validationCount: Int?,
        stepsPerEpoch: Int, samples: Int = 0, metrics: [MetricValue] = [], best: MetricValue? = nil
    ) {
        self.position = position
        self.endEpoch = endEpoch
        self.batchSize = batchSize
        self.trainingCount = trainingCount
        self.validationCount = validationCount
        self.stepsPerEpoch = stepsPerEpoch
        self.samples = samples
        self.metrics = metrics
        self.best = best
    }
}

/// The result of one update.
public struct BatchReport: Sendable {
    public var epoch: Int
    /// From 0; the epoch has `batches`.
    public var batch: Int
    public var batches: Int
    /// Valid samples in this batch.
    public var samples: Int
    /// The wall-clock seconds that this step took, including waiting for data.
    public var seconds: Double
    public var learningRate: Double
    /// The epoch's running averages.
    public var metrics: [MetricValue]

    public init(
        epoch: Int, batch: Int, batches: Int, samples: Int, seconds: Double, learningRate: Double,
        metrics: [MetricValue]
    ) {
        self.epoch = epoch
        self.batch = batch
        self.batches = batches
        self.samples = samples
        self.seconds = seconds
        self.learningRate = learningRate
        self.metrics = metrics
    }
}

/// The result of one epoch, with its validation.
public struct EpochReport: Sendable {
    public var epoch: Int
    public var training: [MetricValue]
    /// Empty when there is no validation set.
    public var validation: [MetricValue]
    /// The learning rate of the epoch's last update.
    public var learningRate: Double
    /// Seconds of training, validation excluded.
    public var seconds: Double
    public var validationSeconds: Double
    public var samplesPerSecond: Double
    /// The fraction of the epoch's training time spent waiting for data, 0 to 1; nil if it was not measured.
    public var waitingShare: Double?

    public init(
        epoch: Int, training: [MetricValue], validation: [MetricValue], learningRate: Double, seconds: Double,
        validationSeconds: Double, samplesPerSecond: Double, waitingShare: Double? = nil
    ) {
        self.waitingShare = waitingShare
        self.epoch = epoch
        self.training = training
        self.validation = validation
        self.learningRate = learningRate
        self.seconds = seconds
        self.validationSeconds = validationSeconds
        self.samplesPerSecond = samplesPerSecond
    }
}

/// The end of a run.
public struct RunEnd: Sendable {
    /// Epochs that this call of `fit` has completed.
    public var epochs: Int
    public var seconds: Double
    /// Stopped by a signal before its last epoch.
    public var interrupted: Bool
    /// Completed epochs of the run, which is also the number of its last checkpoint.
    public var lastCheckpoint: Int
    public var best: FitProgress.Best?
    /// The last validation with test-time augmentation; empty without it.
    public var views: [MetricValue]
    /// Files that could not be saved, with `onSaveError` `.warn`.
    public var missing: [String]

    public init(
        epochs: Int, seconds: Double, interrupted: Bool, lastCheckpoint: Int = 0, best: FitProgress.Best? = nil,
        views: [MetricValue] = [], missing: [String] = []
    ) {
        self.epochs = epochs
        self.seconds = seconds
        self.interrupted = interrupted
        self.lastCheckpoint = lastCheckpoint
        self.best = best
        self.views = views
        self.missing = missing
    }

    /// How the run ended, as a verb.
    package var verb: String { interrupted ? "Interrupted" : missing.isEmpty ? "Finished" : "Ended, not all is saved," }
}

/// Receives a run's events, in order, on the training thread.
public protocol FitObserver: AnyObject {
    func receive(_ event: FitEvent) throws
}
