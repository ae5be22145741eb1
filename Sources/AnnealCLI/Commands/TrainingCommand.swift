import ArgumentParser

/// `train` and `fine-tune`: commands that begin runs, which `resume` goes on with.
protocol TrainingCommand: MXNetScript, Encodable {
    var data: DataOptions { get set }
    var training: TrainingOptions { get set }
    static var script: ScriptDefaults { get }

    /// - Parameter prefix: of the model of the run that goes on; nil for a new run.
    func trainingRun(goingOn prefix: String?) throws -> TrainingRun
}

extension TrainingCommand {
    func run() throws { try run(goingOn: nil) }

    /// - Parameter recorded: the run that goes on, where it is not a new one.
    func run(goingOn recorded: RecordedRun?) throws {
        try training.check(command: Self._commandName)
        let filled = filled(), flags = try flagsInForce(filled)
        try filled.trainingRun(goingOn: recorded?.prefix).run(
            filled.training, filled.data, flags: flags, goingOn: recorded)
    }

    /// With the script's values where flags are not given.
    func filled() -> Self {
        var command = self
        command.training.fill(Self.script)
        command.data.augmentation.fill(Self.script)
        return command
    }
}
