import ArgumentParser

struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continue an interrupted run.",
        discussion: """
            The run continues from its last saved state (PREFIX-latest.resume), also inside an epoch (--save-steps), and ends \
            in the same bits as one that was never interrupted. Its flags are those that it was started with; flags after the \
            folder override them. If nothing was saved yet, it begins again. A run that is over is brought to its end if it \
            was killed after its last save; else there is nothing left to do, and the exit code is 0. Data that has changed \
            since the start is refused.

            With --load-epoch N, best or last it goes back to one of its checkpoints; with --reset-optimizer too it takes the \
            weights alone, for another optimizer or batch size.

            anneal resume runs/2026-11-23_10-00-00-train
            anneal resume runs/2026-11-23_10-00-00-train --num-epochs 40
            anneal resume runs/2026-11-23_10-00-00-train --load-epoch best --reset-optimizer --optimizer adam
            """)

    @Flag(help: "Continue even if the data has changed since the run was started.")
    var acceptChangedData = false
    @Argument(help: ArgumentHelp("The run's folder.", valueName: "RUN-FOLDER"), completion: .directory)
    var folder: String
    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp("Flags of train or fine-tune that override the run's.", valueName: "FLAGS"))
    var overrides: [String] = []

    func run() throws {
        let recorded = try RecordedRun(
            folder: folder, overrides: overrides, acceptsChangedData: acceptChangedData)
        try recorded.command.run(continuing: recorded)
    }
}
