import Anneal
import enum AnnealReport.JSONValue
import FlyingFox
import Foundation
import Synchronization

/// Classifies images: `POST /predict` with the bytes of a JPEG or PNG file returns JSON; `GET /healthz`, `GET /metrics`
/// (Prometheus's text format), `GET /model`.
///
/// Requests that arrive at the same time are computed together (`Classifier`). If more wait than the limit, further
/// ones are rejected with 503, which tells a client to retry.
public final class ModelHandler: HTTPHandler {
    private let classifier: Classifier
    private let gate: Gate
    private let maximumBytes: Int
    private let maximumWaiting: Int
    private let counts = Mutex(Counts())

    private struct Counts {
        var waiting = 0
        var answered = 0
        var refused = 0
        var failed = 0
        var seconds = 0.0
    }

    /// - Parameters:
    ///   - maximumBytes: maximum size of an image file; larger ones are rejected with 413.
    ///   - maximumWaiting: maximum number of requests being computed or waiting.
    public init(_ classifier: Classifier, gate: Gate, maximumBytes: Int = 16 << 20, maximumWaiting: Int = 64) {
        self.classifier = classifier
        var gate = gate
        gate.methods.insert("POST")
        self.gate = gate
        self.maximumBytes = maximumBytes
        self.maximumWaiting = maximumWaiting
    }

    public func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
        if let refusal = gate.refusal(request) {
            try await request.discardBody()
            return refusal
        }
        switch (request.method, request.path) {
        case (.POST, "/predict"): return try await predict(request)
        case (.GET, "/healthz"): return .text(.ok, "ok")
        case (.GET, "/metrics"): return .data(.ok, Data(metrics.utf8), type: "text/plain; version=0.0.4")
        case (.GET, "/model"): return .json(.ok, try Self.encoded(model))
        case (_, "/predict"): return .text(.methodNotAllowed, "POST the bytes of a JPEG or PNG file", ["Allow": "POST"])
        default: return .text(.notFound, "there are /predict, /model, /healthz and /metrics")
        }
    }

    private func predict(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard begin() else {
            try await request.discardBody()
            return .json(.serviceUnavailable, #"{"error":"too many requests wait"}"#, ["Retry-After": "1"])
        }
        let start = Clocks.monotonic()
        var isAnswered = false
        defer { end(isAnswered, seconds: Clocks.monotonic() - start) }
        guard let bytes = try await body(request) else {
            return .json(
                HTTPStatusCode(413, phrase: "Content Too Large"),
                try Self.error("the image has more than \(maximumBytes) bytes"))
        }
        guard !bytes.isEmpty else { return .json(.badRequest, try Self.error("there is no image in the request")) }
        let top = request.query["top"].flatMap { Int($0) } ?? 5
        do {
            let found = try await classifier.predict(image: bytes, top: min(max(1, top), classifier.classNames.count))
            isAnswered = true
            return .json(.ok, try Self.encoded(.object(["predictions": .array(found.map(json))])))
        } catch let error as AnnealError {
            return .json(.badRequest, try Self.error("\(error)"))
        }
    }

    /// nil: more than allowed. The body is read to its end: a client that is still sending would not see the response.
    private func body(_ request: HTTPRequest) async throws -> [UInt8]? {
        var bytes: [UInt8] = [], isTooLong = (request.bodySequence.count ?? 0) > maximumBytes
        for try await piece in request.bodySequence {
            isTooLong = isTooLong || bytes.count + piece.count > maximumBytes
            if isTooLong { bytes = [] } else { bytes += piece }
        }
        return isTooLong ? nil : bytes
    }

    private func begin() -> Bool {
        counts.withLock { counts in
            guard counts.waiting < maximumWaiting else {
                counts.refused += 1
                return false
            }
            counts.waiting += 1
            return true
        }
    }

    private func end(_ isAnswered: Bool, seconds: Double) {
        counts.withLock { counts in
            counts.waiting -= 1
            counts.seconds += seconds
            if isAnswered { counts.answered += 1 } else { counts.failed += 1 }
        }
    }

    /// Uses the names of `anneal predict --format json`.
    private func json(_ prediction: Classifier.Prediction) -> JSONValue {
        let number: JSONValue = prediction.probability.isFinite ? .number(Double(prediction.probability)) : .null
        return [
            "class": .string(prediction.className), "index": .integer(prediction.index),
            classifier.scores == .probabilities ? "probability" : "score": number,
        ]
    }

    private static func error(_ text: String) throws -> String { try encoded(["error": .string(text)]) }

    private static func encoded(_ value: JSONValue) throws -> String { try value.encoded() }

    private var model: JSONValue {
        [
            "image_shape": .array(classifier.imageShape.dims.map(JSONValue.integer)),
            "classes": .array(classifier.classNames.map(JSONValue.string)),
        ]
    }

    private var metrics: String {
        let counts = counts.withLock { $0 }
        func metric(_ name: String, _ kind: String, _ value: some CustomStringConvertible, _ help: String) -> String {
            "# HELP anneal_\(name) \(help)\n# TYPE anneal_\(name) \(kind)\nanneal_\(name) \(value)\n"
        }
        return metric("requests_answered_total", "counter", counts.answered, "Images that were classified.")
            + metric("requests_failed_total", "counter", counts.failed, "Requests without a usable image.")
            + metric("requests_refused_total", "counter", counts.refused, "Requests that came while too many waited.")
            + metric("requests_waiting", "gauge", counts.waiting, "Requests that are computed or wait.")
            + metric("request_seconds_total", "counter", counts.seconds, "Time that requests took.")
    }
}
