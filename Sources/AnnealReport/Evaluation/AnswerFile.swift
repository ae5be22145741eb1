import AnnealCore
import Foundation

/// Reads a `predictions.csv`.
public struct AnswerFile: Sendable {
    public struct Row: Sendable, Equatable {
        public var image: String
        public var label: Int
        /// nil: all scores were NaN.
        public var predicted: Int?
        public var probability: Float
        public var labelProbability: Float

        public var isRight: Bool { predicted == label }
    }

    public let path: String
    public let rows: [Row]

    /// - Throws: `AnnealError` with the row's number if a row is not in the format of `AnswerTable`.
    public init(_ path: String) throws {
        self.path = path
        let bytes = [UInt8](try Files.read(path)), table = CSV.rows(bytes)
        guard bytes.isEmpty || bytes.last == UInt8(ascii: "\n") else {
            throw AnnealError(
                path, "ends in the middle of a line", suggestion: "write it again with anneal score --per-image",
                code: .damaged)
        }
        let columns = ["image", "label", "predicted", "probability", "label_probability"]
        let places = columns.compactMap { name in table.first?.firstIndex(of: name) }
        guard places.count == columns.count else {
            throw AnnealError(
                path, "is not a table of predictions: it needs the columns \(columns.joined(separator: ", "))",
                suggestion: "write it with anneal score --per-image", code: .damaged)
        }
        let width = table.first?.count ?? 0
        rows = try table.enumerated().dropFirst().map { number, fields in
            guard fields.count == width, let label = Int(fields[places[1]]),
                let probability = Float(fields[places[3]]), let labelProbability = Float(fields[places[4]]),
                case let predicted = Int(fields[places[2]]), predicted != nil || fields[places[2]].isEmpty
            else {
                throw AnnealError(
                    "\(path), row \(number)", "is not a prediction",
                    suggestion: "write the file again with anneal score --per-image", code: .damaged)
            }
            return Row(
                image: fields[places[0]], label: label, predicted: predicted, probability: probability,
                labelProbability: labelProbability)
        }
    }

    /// - Throws: `AnnealError` if two images have the same name.
    func byName() throws -> [String: Row] {
        var named: [String: Row] = [:]
        for row in rows where named.updateValue(row, forKey: row.image) != nil {
            throw AnnealError(
                path, "has two images named \(row.image), so they cannot be matched",
                suggestion: "score both models on the same data", code: .mismatch)
        }
        return named
    }
}
