import AnnealCore
import ArgumentParser
import Foundation

@main
struct AnnealFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "anneal-fuzz",
        abstract:
            "Damages the files that Anneal reads, in many ways, and looks for crashes, hangs and large allocations.",
        discussion: "Inputs follow from the seed alone. Those that fail are kept, with the command that repeats each.")

    @Option(help: "A reader to test, and more by giving it again; all of them without it.")
    var target: [String] = []
    @Option(help: "Inputs for each reader.")
    var count = 10_000
    @Option(help: "Of the damages.")
    var seed: UInt64 = 1
    @Option(help: "A folder with files to damage, besides those that Anneal writes itself.")
    var fixtures = "Tests/Fixtures"
    @Option(help: "Where inputs that fail are kept.")
    var failures = "fuzz-failures"
    @Option(help: "Processes at a time.")
    var jobs = ProcessInfo.processInfo.activeProcessorCount
    @Option(help: "Reads this file as the one target does, and says what came of it.")
    var input: String?

    @Option(help: .hidden) var from = 0
    @Option(help: .hidden) var to = 0
    /// The worker's folder.
    @Option(help: .hidden) var worker: String?

    func validate() throws {
        guard count > 0, jobs > 0 else { throw ValidationError("--count and --jobs must be at least 1") }
        guard (input == nil && worker == nil) || target.count == 1 else {
            throw ValidationError("--input wants one --target")
        }
    }

    func run() throws {
        let targets = try target.isEmpty ? FuzzTarget.all : target.map(FuzzTarget.named)
        if let worker {
            let workspace = Workspace(folder: worker, fixtures: fixtures)
            let board = try Scoreboard(workspace.path("scores"))
            try Worker(targets[0], seed: seed, workspace: workspace).run(from..<to, board)
        } else if let input {
            try readOne(input, targets[0])
        } else {
            let settings = Campaign.Settings(
                targets: targets, count: count, seed: seed, fixtures: fixtures, failures: failures, jobs: jobs)
            let campaign = try Campaign(settings)
            let rows = try campaign.run()
            print(([Campaign.heading] + rows).joined(separator: "\n"))
            if !campaign.failures.isEmpty { throw ExitCode(1) }
        }
    }

    private func readOne(_ path: String, _ target: FuzzTarget) throws {
        let folder = Files.path(NSTemporaryDirectory(), "anneal-fuzz-\(getpid())")
        try Files.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let worker = try Worker(target, seed: seed, workspace: Workspace(folder: folder, fixtures: fixtures))
        var result = Scoreboard.Scores()
        let refusal = worker.read(Array(try Files.read(path)), &result)
        print(refusal.map { "refused: \($0)" } ?? "accepted")
        print("\(result.slowestMicroseconds / 1000) ms, \(result.memory >> 10) KB for \(result.memorySize) bytes")
    }
}
