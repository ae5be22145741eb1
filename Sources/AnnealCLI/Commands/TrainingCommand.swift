import ArgumentParser

/// `train` and `fine-tune`: commands that begin runs, which `resume` goes on with.
protocol TrainingCommand: MXNetScript {
    var data: DataOptions { get }
    var training: TrainingOptions { get }

    /// - Parameter prefix: of the model of the run that goes on; nil for a new run.
    func trainingRun(goingOn prefix: String?) throws -> TrainingRun
}

extension TrainingCommand {
    func run() throws { try run(goingOn: nil) }

    /// - Parameter recorded: the run that goes on, where it is not a new one.
    func run(goingOn recorded: RecordedRun?) throws {
        try training.check(command: Self._commandName)
        try trainingRun(goingOn: recorded?.prefix).run(training, data, goingOn: recorded)
    }
}
