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
    @Option(help: ArgumentHelp("Host names under which others reach the server.", valueName: "NAME,NAME"))
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
                "anneal-server", "needs runs or a model", suggestion: "give --runs FOLDER or --model MODEL")
        }
        guard (1...1024).contains(batchSize), (1...100_000).contains(maxWaiting), (1...1024).contains(maxMegabytes)
        else {
            throw AnnealError(
                "--batch-size, --max-waiting, --max-megabytes", "must be at least 1, at most 1024 (100000 may wait)")
        }
        let secret = try secret()
        var names = Set((hosts ?? "").split(separator: ",").map { $0.lowercased() })
        if !isLocal { names.insert(ProcessInfo.processInfo.hostName.lowercased()) }
        let server = try makeServer(try handler(Gate(hosts: names, token: secret)))
        let greeting = greeting(secret), place = "\(address), port \(port)"
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Self.listen(server, at: place) }
            group.addTask {
                try await server.waitUntilListening()
                FileHandle.standardError.write(Data("\(greeting)\n".utf8))
            }
            // Whichever fails first ends both.
            while try await group.next() != nil {}
        }
    }

    private var isLocal: Bool { ["127.0.0.1", "::1", "localhost"].contains(address) }

    /// The token that requests must carry.
    private func secret() throws -> String? {
        var secret = token ?? ProcessInfo.processInfo.environment["ANNEAL_TOKEN"]
        if secret == "new" { secret = Gate.newToken() }
        guard isLocal || (secret?.count ?? 0) >= 16 else {
            throw AnnealError(
                "--address \(address)",
                "can be reached from other machines, and there is no token of 16 letters or more",
                suggestion: "give --token new, which makes one")
        }
        // It is used in addresses and cookies.
        guard secret.map({ $0.wholeMatch(of: /[A-Za-z0-9._~-]+/) != nil }) ?? true else {
            throw AnnealError("--token", "holds more than letters, digits and -._~", suggestion: "give --token new")
        }
        return secret
    }

    private func handler(_ gate: Gate) throws -> any HTTPHandler {
        if let runs {
            guard Files.isFolder(runs) else { throw AnnealError(runs, "is not a folder", code: .notFound) }
            return RunsHandler(folder: runs, gate: gate)
        }
        let choice = try loadEpoch.map { text in
            guard let choice = CheckpointChoice(text) else {
                throw AnnealError("--load-epoch \(text)", "is neither a number nor best or last")
            }
            return choice
        }
        return ModelHandler(
            try Classifier(SavedModel(model ?? "", choice), batchSize: batchSize), gate: gate,
            maximumBytes: maxMegabytes << 20, maximumWaiting: maxWaiting)
    }

    /// The address, and what to open or send.
    private func greeting(_ secret: String?) -> String {
        let place = "http://\(isLocal ? "localhost" : address.contains(":") ? "[\(address)]" : address):\(port)"
        guard model != nil else { return "Serving at \(place)\(secret.map { "/?token=\($0)" } ?? "/")" }
        let header = secret.map { " -H 'Authorization: Bearer \($0)'" } ?? ""
        return "Serving at \(place)/; try: curl --data-binary @cat.jpg\(header) \(place)/predict"
    }

    private static func listen(_ server: HTTPServer, at place: String) async throws {
        do {
            try await server.run()
        } catch SocketError.failed(_, _, let message) {
            throw AnnealError(
                place, "cannot be listened on: \(message)", suggestion: "give another --port")
        }
    }

    private func makeServer(_ handler: any HTTPHandler) throws -> HTTPServer {
        // A request is answered within this time or not at all; a large model may need it for all waiting requests.
        let logger: any Logging = .disabled, timeout = 120.0
        do {
            if address.contains(":") {
                return HTTPServer(
                    address: try sockaddr_in6.inet6(ip6: address, port: port), timeout: timeout, logger: logger,
                    handler: handler)
            }
            let ip = address == "localhost" ? "127.0.0.1" : address
            return HTTPServer(
                address: try sockaddr_in.inet(ip4: ip, port: port), timeout: timeout, logger: logger, handler: handler)
        } catch {
            throw AnnealError(
                "--address \(address)", "is not an address", suggestion: "give a number such as 127.0.0.1 or ::1")
        }
    }
}
