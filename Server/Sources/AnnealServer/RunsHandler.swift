import Anneal
import FlyingFox
import Foundation

/// Shows the runs below a folder: `/`, `/run?name=…`, `/compare?run=…&run=…`, `/events?name=…`.
///
/// Only names that a listing of the folder finds are accepted: no request can leave the folder.
public struct RunsHandler: HTTPHandler {
    private let folder: String
    private let gate: Gate
    private let interval: Duration
    private static let mostCompared = 12

    /// - Parameters:
    ///   - folder: the folder of the runs.
    ///   - interval: the time between checks of a run in training.
    public init(folder: String, gate: Gate, interval: Duration = .seconds(1)) {
        self.folder = folder
        self.gate = gate
        self.interval = interval
    }

    public func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
        if let welcome = gate.welcome(request) { return welcome }
        if let refusal = gate.refusal(request) {
            try await request.discardBody()
            return refusal
        }
        do {
            switch request.path {
            case "/": return .html(RunsPage.index(try RunCatalogue.runs(in: folder, by: .date), folder: folder))
            case "/run":
                guard let run = try path(of: request.query["name"]) else { return notFound }
                return .html(try RunPage(inFolder: run.path, name: run.name).html(isServed: true))
            case "/compare": return try compare(request)
            case "/events":
                guard let run = try path(of: request.query["name"]) else { return notFound }
                return events(run.path)
            case "/healthz": return .text(.ok, "ok")
            default: return notFound
            }
        } catch {
            return .html(RunsPage.message("That went wrong", "\(error)"), .internalServerError)
        }
    }

    private var notFound: HTTPResponse {
        .html(RunsPage.message("Not here", "There is no such page or run."), .notFound)
    }

    private func path(of name: String?) throws -> (name: String, path: String)? {
        guard let name else { return nil }
        let found = try RunCatalogue.names(in: folder)
        // The folder itself may be the run.
        if found == [""], name == FilePath(folder).name.description { return (name, folder) }
        // Forms encode a space as a plus.
        for name in [name, name.replacingOccurrences(of: "+", with: " ")] where found.contains(name) {
            return (name, Files.path(folder, name))
        }
        return nil
    }

    private func compare(_ request: HTTPRequest) throws -> HTTPResponse {
        let names = request.query.filter { $0.name == "run" }.map(\.value)
        guard names.count > 1, names.count <= Self.mostCompared else {
            return .html(
                RunsPage.message("Nothing to compare", "Mark two runs or more, at most \(Self.mostCompared)."),
                .badRequest)
        }
        let runs = try names.compactMap { try path(of: $0) }
        guard runs.count == names.count else { return notFound }
        return .html(try RunsPage.comparison(runs.map { RunSummary($0.path, name: $0.name) }))
    }

    private func events(_ run: String) -> HTTPResponse {
        var response = HTTPResponse.data(.ok, Data(), type: "text/event-stream")
        response.payload = .httpBody(HTTPBodySequence(from: RunEventStream(folder: run, interval: interval)))
        return response
    }
}
