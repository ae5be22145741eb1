import AnnealTrain
import Foundation

/// What was scored: model, data, and preprocessing.
public struct ScoredRun: Codable, Sendable, Equatable {
    /// The file of the parameters.
    public var model: String
    public var data: String
    /// Images that were scored.
    public var images: Int
    /// Images that could not be decoded.
    public var skipped: Int
    public var preprocessing: Preprocessing
    public var commandLine: [String]
    public var version: String
    public var date: Date

    public init(
        model: String, data: String, images: Int, skipped: Int, preprocessing: Preprocessing, commandLine: [String],
        version: String, date: Date = Date()
    ) {
        self.model = model
        self.data = data
        self.images = images
        self.skipped = skipped
        self.preprocessing = preprocessing
        self.commandLine = commandLine
        self.version = version
        self.date = date
    }

    enum CodingKeys: String, CodingKey {
        case model, data, images, skipped, preprocessing, version, date
        case commandLine = "command_line"
    }
}

/// `score.json`.
struct ScoreRecord: Encodable {
    var run: ScoredRun
    var metrics: [String: Double]
    var classMeans: [String: Double]

    enum CodingKeys: String, CodingKey {
        case run, metrics
        case classMeans = "class_means"
    }

    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        // A diverged network has a loss of NaN, which JSON cannot represent.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return try encoder.encode(self) + Data("\n".utf8)
    }
}
