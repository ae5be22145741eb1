import ArgumentParser

struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Go on with a run that was interrupted.",
        discussion: """
            The run goes on from its last saved state (PREFIX-latest.resume), also inside an epoch (--save-steps), and ends in \
            the same bits as one that was never interrupted. Its flags are those that it was started with; flags behind the \
            folder override them. If nothing was saved yet, it begins again.

            anneal resume runs/2026-11-23_10-00-00-train
            anneal resume runs/2026-11-23_10-00-00-train --num-epochs 40 --threads 4
            """)

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "RUN-FOLDER"))
    var folder: String
    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp("Flags of train or fine-tune that override the run's.", valueName: "FLAGS"))
    var overrides: [String] = []

    func run() throws {
        let recorded = try RecordedRun(folder: folder, overrides: overrides)
        try recorded.command.run(goingOn: recorded)
    }
}
