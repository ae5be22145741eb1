import ArgumentParser

/// `train` and `fine-tune`: commands that begin runs, which `resume` continues.
protocol TrainingCommand: MXNetScript, Encodable {
    var data: DataOptions { get set }
    var training: TrainingOptions { get set }
    static var script: ScriptDefaults { get }

    /// The script's values, or better ones that the command knows.
    func defaults() throws -> ScriptDefaults

    /// - Parameter prefix: of the model of the run that is continued; nil for a new run.
    func trainingRun(continuing prefix: String?) throws -> TrainingRun
}

extension TrainingCommand {
    func defaults() throws -> ScriptDefaults { Self.script }

    func run() throws { try run(continuing: nil) }

    /// - Parameter recorded: the run that is continued, where it is not a new one.
    func run(continuing recorded: RecordedRun?) throws {
        try training.check()
        var filled = try filled()
        let flags = try flagsInForce(filled)
        filled.training.batchSize = filled.training.wholeBatchSize
        try Job.run(training.job) { group in
            var run = try filled.trainingRun(continuing: recorded?.prefix)
            run.group = group
            try run.run(filled.training, filled.data, flags: flags, continuing: recorded)
        }
    }

    /// With the command's values where flags are not given.
    func filled() throws -> Self {
        var command = self
        let script = try defaults()
        command.training.fill(script)
        try command.training.fillJob()
        command.data.augmentation.fill(script)
        // Configuration files that do not say it are of a version that cropped the images of folders.
        command.data.images.resize = command.data.images.resize ?? .automatic
        return command
    }
}
