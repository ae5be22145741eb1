import Anneal
import AnnealServer
import FlyingFox
import Foundation
import Testing

private func request(
    _ target: String, method: HTTPMethod = .GET, host: String? = "localhost:8080", _ headers: [String: String] = [:],
    body: Data = Data()
) -> HTTPRequest {
    var all = HTTPHeaders()
    if let host { all[HTTPHeader("Host")] = host }
    for (name, value) in headers { all[HTTPHeader(name)] = value }
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let items = parts.count < 2 ? [] : parts[1].split(separator: "&")
    let query: [HTTPRequest.QueryItem] = items.map { item in
        let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let value = pair.count > 1 ? String(pair[1]).removingPercentEncoding ?? "" : ""
        return HTTPRequest.QueryItem(name: String(pair[0]), value: value)
    }
    return HTTPRequest(
        method: method, version: .http11, path: String(parts[0]), query: query, headers: all,
        body: HTTPBodySequence(data: body))
}

/// A folder of two runs that is removed with the test, and a file outside that nobody may read.
private final class Runs {
    let parent: String
    var folder: String { parent + "/runs" }

    init() throws {
        parent = NSTemporaryDirectory() + "anneal-server-\(UUID().uuidString)"
        for name in ["a", "b & <c>"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
            try #"""
            {"command":"train","command_line":["anneal","train"],"arguments":{"lr":0.1},"version":"v","threads":1,
            "date":"2026-11-23T10:00:00Z","working_folder":"/","machine":{"host":"h","system":"s","processor":"p","cores":1,
            "memory_bytes":1}}
            """#.write(toFile: "\(folder)/\(name)/arguments.json", atomically: true, encoding: .utf8)
        }
        try FileManager.default.createDirectory(atPath: "\(parent)/secret", withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: "\(folder)/a/arguments.json", toPath: "\(parent)/secret/arguments.json")
    }

    deinit { try? FileManager.default.removeItem(atPath: parent) }
}

@Suite struct RunsHandlerTests {
    private func status(_ handler: RunsHandler, _ request: HTTPRequest) async throws -> Int {
        try await handler.handleRequest(request).statusCode.code
    }

    @Test func pagesAndNames() async throws {
        let runs = try Runs(), handler = RunsHandler(folder: runs.folder, gate: Gate())
        let index = try await handler.handleRequest(request("/"))
        let html = String(decoding: try await index.bodyData, as: UTF8.self)
        #expect(index.statusCode == .ok && html.contains("/run?name=b%20%26%20%3Cc%3E") && !html.contains("<c>"))
        #expect(index.headers[HTTPHeader("X-Content-Type-Options")] == "nosniff")
        #expect(try await status(handler, request("/run?name=b%20%26%20%3Cc%3E")) == 200)
        #expect(try await status(handler, request("/compare?run=a&run=b%20%26%20%3Cc%3E")) == 200)
        for target in [
            "/run", "/run?name=", "/run?name=../secret", "/run?name=a/../../secret", "/run?name=/etc", "/run?name=a/",
            "/run?name=.", "/run?name=A", "/a", "/../secret/arguments.json", "/compare?run=a&run=../secret",
            "/events?name=../secret",
        ] {
            #expect(try await status(handler, request(target)) == 404, "\(target)")
        }
        #expect(try await status(handler, request("/compare?run=a")) == 400)
        // As forms encode spaces.
        #expect(try await status(handler, request("/compare?run=a&run=b+%26+%3Cc%3E")) == 200)
    }

    @Test func theGate() async throws {
        let runs = try Runs(), open = RunsHandler(folder: runs.folder, gate: Gate())
        for host in ["localhost", "127.0.0.1:9", "[::1]:8080", "LocalHost:8080"] {
            #expect(try await status(open, request("/", host: host)) == 200, "\(host)")
        }
        for host in [nil, "evil.example", "localhost.evil.example:8080", "127.0.0.1.evil", ""] {
            #expect(try await status(open, request("/", host: host)) == 403, "\(host ?? "none")")
        }
        // Others can only make names resolve to this host.
        for host in ["192.168.1.7:8080", "[fe80::1]:8080"] {
            #expect(try await status(open, request("/", host: host)) == 200, "\(host)")
        }
        for method in [HTTPMethod.POST, .PUT, .DELETE, .OPTIONS, .HEAD] {
            #expect(try await status(open, request("/", method: method)) == 405)
        }
        let token = Gate.newToken()
        #expect(token.count == 32 && token != Gate.newToken())
        let closed = RunsHandler(folder: runs.folder, gate: Gate(hosts: ["box"], token: token))
        #expect(try await status(closed, request("/", host: "box:1")) == 401)
        #expect(try await status(closed, request("/?token=\(token)x", host: "box:1")) == 401)
        let welcome = try await closed.handleRequest(request("/?token=\(token)", host: "box:1"))
        #expect(
            welcome.statusCode.code == 303 && welcome.headers[HTTPHeader("Set-Cookie")]?.contains("HttpOnly") == true)
        #expect(try await status(closed, request("/", host: "box", ["Cookie": "x=1; anneal_token=\(token)"])) == 200)
        #expect(try await status(closed, request("/", host: "box", ["Authorization": "Bearer \(token)"])) == 200)
        #expect(
            try await status(closed, request("/", host: "box", ["Authorization": "Bearer \(token.lowercased())"]))
                == 401)
    }

    /// A single event for a run that has ended.
    @Test func events() async throws {
        let runs = try Runs(), handler = RunsHandler(folder: runs.folder, gate: Gate(), interval: .milliseconds(10))
        let response = try await handler.handleRequest(request("/events?name=a"))
        #expect(response.headers[.contentType] == "text/event-stream")
        var bytes: [UInt8] = []
        var iterator = RunEventStream(folder: runs.folder + "/a", interval: .milliseconds(10)).makeAsyncIterator()
        while let piece = try await iterator.nextBuffer(suggested: 7) {
            #expect(piece.count <= 7)
            bytes += piece
        }
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(
            text.hasPrefix("data: {") && text.hasSuffix("}\n\n") && text.contains(#""state":"interrupted""#), "\(text)")
    }
}

@Suite struct ModelHandlerTests {
    private func classifier() throws -> Classifier {
        let network = try Networks.symbol("mlp", NetworkOptions(numClasses: 3, imageShape: [1, 12, 12]))
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.1])
        let trainer = try Trainer(network, dataShape: [1, 12, 12], batchSize: 2, optimizer: optimizer)
        try trainer.initialize(Xavier())
        let prefix = NSTemporaryDirectory() + "anneal-server-model-\(UUID().uuidString)"
        try trainer.save(prefix: prefix, epoch: 1)
        try Preprocessing(imageShape: [1, 12, 12], mean: [0], std: [1], classNames: ["a", "b", "c"]).save(
            prefix: prefix)
        return try Classifier(prefix: prefix, epoch: 1, batchSize: 2)
    }

    @Test func predictions() async throws {
        let handler = ModelHandler(try classifier(), gate: Gate(), maximumBytes: 2000)
        let image = try Image(width: 20, height: 20, channels: 1, filledWith: 99).encoded(as: .png(level: 6))
        func post(_ body: [UInt8], _ target: String = "/predict") async throws -> HTTPResponse {
            try await handler.handleRequest(request(target, method: .POST, body: Data(body)))
        }
        let good = try await post(image, "/predict?top=2")
        let text = String(decoding: try await good.bodyData, as: UTF8.self)
        #expect(good.statusCode == .ok && text.components(separatedBy: "\"class\"").count == 3, "\(text)")
        // At the same time, with the same answers.
        let answers = try await withThrowingTaskGroup(of: Data.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    try await handler.handleRequest(request("/predict?top=2", method: .POST, body: Data(image)))
                        .bodyData
                }
            }
            return try await group.reduce(into: Set<Data>()) { $0.insert($1) }
        }
        #expect(answers == [Data(text.utf8)])
        #expect(try await post(Array("no image".utf8)).statusCode.code == 400)
        #expect(try await post([]).statusCode.code == 400)
        #expect(try await post(Array(repeating: 0, count: 2001)).statusCode.code == 413)
        #expect(try await handler.handleRequest(request("/predict")).statusCode.code == 405)
        #expect(try await handler.handleRequest(request("/healthz")).statusCode == .ok)
        let metrics = String(decoding: try await handler.handleRequest(request("/metrics")).bodyData, as: UTF8.self)
        #expect(
            metrics.contains("anneal_requests_answered_total 17\n") && metrics.contains("anneal_requests_waiting 0\n"))
        #expect(metrics.contains("anneal_requests_failed_total 3\n"), "\(metrics)")
    }

    @Test func tooManyAreRefused() async throws {
        let handler = ModelHandler(try classifier(), gate: Gate(), maximumWaiting: 0)
        let response = try await handler.handleRequest(request("/predict", method: .POST, body: Data([1])))
        #expect(response.statusCode.code == 503 && response.headers[HTTPHeader("Retry-After")] == "1")
    }
}
