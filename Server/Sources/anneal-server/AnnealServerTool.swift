import Anneal
import AnnealServer
import ArgumentParser
import FlyingFox
import FlyingSocks
import Foundation

/// The executable that `anneal serve` runs.
@main
struct AnnealServerTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "anneal-server", abstract: "Show runs, or answer what is on images, over HTTP.",
        discussion: "The flags are those of 'anneal serve', which runs it.")

    @Option(help: ArgumentHelp("Show the runs below this folder.", valueName: "FOLDER"))
    var runs: String?
    @Option(
        help: ArgumentHelp("Answer what this model says of images that are POSTed to /predict.", valueName: "MODEL"))
    var model: String?
    @Option(help: ArgumentHelp("Which of its checkpoints: a number, best or last.", valueName: "N"))
    var loadEpoch: String?
    @Option(help: ArgumentHelp("The port.", valueName: "N"))
    var port: UInt16 = 8080
    @Option(
        help: ArgumentHelp(
            "The address to listen on; another than this machine's own requires a token.", valueName: "ADDRESS"))
    var address: String = "127.0.0.1"
    @Option(help: ArgumentHelp("Names by which others reach the server.", valueName: "NAME,NAME"))
    var hosts: String?
    @Option(
        help: ArgumentHelp(
            "What requests must carry; 'new' makes one and prints it. ANNEAL_TOKEN does the same.", valueName: "TOKEN"))
    var token: String?
    @Option(help: ArgumentHelp("Images that are computed together.", valueName: "N"))
    var batchSize: Int = 8
    @Option(help: ArgumentHelp("Requests that may wait; the next get 503.", valueName: "N"))
    var maxWaiting: Int = 64
    @Option(help: ArgumentHelp("Largest image file, in MB.", valueName: "N"))
    var maxMegabytes: Int = 16

    mutating func run() async throws {
        do {
            try await serve()
        } catch let error as AnnealError {
            FileHandle.standardError.write(Data("anneal-server: error: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }

    private func serve() async throws {
        guard (runs == nil) != (model == nil) else {
            throw AnnealError(
                "anneal-server", "serves runs or a model", suggestion: "give --runs FOLDER or --model MODEL")
        }
        guard (1...1024).contains(batchSize), (1...100_000).contains(maxWaiting), (1...1024).contains(maxMegabytes)
        else {
            throw AnnealError(
                "--batch-size, --max-waiting, --max-megabytes", "must be at least 1, at most 1024 (100000 may wait)")
        }
        let isLocal = ["127.0.0.1", "::1", "localhost"].contains(address)
        var secret = token ?? ProcessInfo.processInfo.environment["ANNEAL_TOKEN"]
        if secret == "new" { secret = Gate.newToken() }
        guard isLocal || (secret?.count ?? 0) >= 16 else {
            throw AnnealError(
                "--address \(address)",
                "can be reached from other machines, and there is no token of 16 letters or more",
                suggestion: "give --token new, which makes one")
        }
        var names = Set((hosts ?? "").split(separator: ",").map { $0.lowercased() })
        if !isLocal { names.insert(address.contains(":") ? "[\(address)]" : address.lowercased()) }
        let gate = Gate(hosts: names, token: secret)

        let handler: any HTTPHandler
        if let runs {
            guard Files.isFolder(runs) else { throw AnnealError(runs, "is not a folder", code: .notFound) }
            handler = RunsHandler(folder: runs, gate: gate)
        } else {
            let choice = try loadEpoch.map { text in
                guard let choice = CheckpointChoice(text) else {
                    throw AnnealError("--load-epoch \(text)", "is neither a number nor best or last")
                }
                return choice
            }
            handler = ModelHandler(
                try Classifier(SavedModel(model ?? "", choice), batchSize: batchSize), gate: gate,
                maximumBytes: maxMegabytes << 20, maximumWaiting: maxWaiting)
        }
        let server = try makeServer(handler)
        let task = Task { try await server.run() }
        try await server.waitUntilListening()
        let shown = isLocal ? "localhost" : address
        let suffix = secret.map { "/?token=\($0)" } ?? "/"
        FileHandle.standardError.write(Data("Serving at http://\(shown):\(port)\(suffix)\n".utf8))
        try await task.value
    }

    private func makeServer(_ handler: any HTTPHandler) throws -> HTTPServer {
        let logger: any Logging = .disabled
        do {
            if address == "::1" || address.contains(":") {
                return HTTPServer(
                    address: try sockaddr_in6.inet6(ip6: address, port: port), logger: logger, handler: handler)
            }
            let ip = address == "localhost" ? "127.0.0.1" : address
            return HTTPServer(address: try sockaddr_in.inet(ip4: ip, port: port), logger: logger, handler: handler)
        } catch {
            throw AnnealError(
                "--address \(address)", "is not an address", suggestion: "give a number such as 127.0.0.1 or ::1")
        }
    }
}
