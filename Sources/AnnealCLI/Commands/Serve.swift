import Anneal
import ArgumentParser
import Foundation

/// Runs `anneal-server`, which is a separate program, so that only those who want it build a web server.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show runs in a browser, or classify images over HTTP.",
        discussion: """
            With --runs: all runs of a folder, curves that follow runs as they train, comparisons, and what a run's page \
            shows. With --model: POST /predict with the bytes of a JPEG or PNG file answers with JSON; GET /healthz and \
            /metrics are for what watches the service. The work is done by the program anneal-server ('make server' builds \
            it), next to this one or on the PATH.

            The server can be reached from this machine only. With another --address every request needs a token.

            anneal serve --runs runs --port 8080
            anneal serve --model runs/2026-11-23_10-00-00-train --load-epoch best
            """)

    @Option(help: ArgumentHelp("Show the runs below this folder.", valueName: "FOLDER"), completion: .directory)
    var runs: String?
    @Option(help: SavedModel.help)
    var model: String?
    @Option(help: CheckpointChoice.help, completion: .list(["best", "last"]))
    var loadEpoch: CheckpointChoice?
    @Option(help: ArgumentHelp("The port.", valueName: "N"))
    var port: Int = 8080
    @Option(help: ArgumentHelp("The address to listen on.", valueName: "ADDRESS"))
    var address: String = "127.0.0.1"
    @Option(help: ArgumentHelp("Host names under which others reach the server.", valueName: "NAME,NAME"))
    var hosts: String?
    @Option(
        help: ArgumentHelp(
            "Token that requests must carry; new creates one and prints it. The environment variable ANNEAL_TOKEN, which other users cannot see, does the same.",
            valueName: "TOKEN"))
    var token: String?
    @Option(help: ArgumentHelp("With --model: images per batch.", valueName: "N"))
    var batchSize: Int = 8
    @Option(
        help: ArgumentHelp(
            "With --model: maximum number of waiting requests; further ones are told to try again.", valueName: "N"))
    var maxWaiting: Int = 64
    @Option(help: ArgumentHelp("With --model: the largest image file in MB.", valueName: "N"))
    var maxMegabytes: Int = 16

    func run() throws {
        guard (runs == nil) != (model == nil) else {
            throw UsageError("serve", "needs runs or a model", suggestion: "give --runs FOLDER or --model MODEL")
        }
        guard (1...65_535).contains(port) else {
            throw UsageError("--port \(port)", "is not a port", suggestion: "it is 1 to 65535")
        }
        let values: [(String, String?)] = [
            ("runs", runs), ("model", model), ("load-epoch", loadEpoch?.description), ("port", "\(port)"),
            ("address", address), ("hosts", hosts), ("batch-size", "\(batchSize)"), ("max-waiting", "\(maxWaiting)"),
            ("max-megabytes", "\(maxMegabytes)"),
        ]
        let flags = values.flatMap { flag, value in value.map { ["--\(flag)=\($0)"] } ?? [] }
        // Other users cannot see it in the environment.
        if let token { setenv("ANNEAL_TOKEN", token, 1) }
        let program = try Self.program()
        var arguments: [UnsafeMutablePointer<CChar>?] = ([program] + flags).map { text in
            Files.withPath(text) { strdup($0) }
        }
        arguments.append(nil)
        Files.withPath(program) { _ = execv($0, arguments) }
        throw AnnealError(program, "cannot be run: \(String(cString: strerror(errno)))", code: .ioFailure)
    }

    /// Next to this program, or on the PATH.
    private static func program() throws -> String {
        let name = "anneal-server"
        let own = Files.realPath("/proc/self/exe").map { Files.path(Files.folder(of: $0), name) }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let places = [own].compactMap { $0 } + path.split(separator: ":").map { Files.path(String($0), name) }
        guard let found = places.first(where: { Files.withPath($0) { access($0, X_OK) } == 0 && !Files.isFolder($0) })
        else {
            throw AnnealError(
                name, "is neither next to this program nor on the PATH",
                suggestion: "build it with 'make server' in Anneal's source, or install a package made with SERVER=1",
                code: .notFound)
        }
        return found
    }
}
