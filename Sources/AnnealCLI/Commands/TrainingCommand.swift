import ArgumentParser

/// `train` and `fine-tune`: commands that start runs, which `resume` continues.
protocol TrainingCommand: MXNetScript, Encodable {
    var data: DataOptions { get set }
    var training: TrainingOptions { get set }
    static var script: ScriptDefaults { get }

    /// The script's defaults, or better ones that the command knows.
    func defaults() throws -> ScriptDefaults

    /// - Parameter prefix: the model prefix of the run that is continued; nil for a new run.
    func trainingRun(continuing prefix: String?) throws -> TrainingRun
}

extension TrainingCommand {
    func defaults() throws -> ScriptDefaults { Self.script }

    func run() throws { try run(continuing: nil) }

    /// - Parameter recorded: the run that is continued; nil for a new one.
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

    /// With the command's defaults for flags that are not given.
    func filled() throws -> Self {
        var command = self
        let script = try defaults()
        command.training.fill(script)
        try command.training.fillJob()
        command.data.augmentation.fill(script)
        // Configuration files without it come from a version that cropped the images of folders.
        command.data.images.resize = command.data.images.resize ?? .automatic
        return command
    }
}
