import AnnealCore
import AnnealTrain
import Foundation

/// Reads a run's `metrics.jsonl` back.
public enum RunHistory {
    /// The epochs of a run in file order. A truncated last line, which a killed run may leave, is ignored.
    ///
    /// - Throws: `AnnealError` with the line's number when a line is not valid.
    public static func epochs(of path: String) throws -> [EpochReport] {
        try records(of: path).compactMap(\.record.report)
    }

    /// The readable epochs of a run's file; damaged lines are skipped. Quick, since the lines of batches are not
    /// parsed.
    package static func readable(_ path: String) -> [EpochReport] {
        let decoder = JSONDecoder()
        return ((try? LineFile.completeLines(of: path)) ?? []).compactMap { line in
            guard line.hasPrefix(#"{"event":"epoch""#),
                let record = try? decoder.decode(MetricsRecord.self, from: Data(line.utf8)),
                (0..<1 << 53).contains(record.epoch)
            else { return nil }
            return record.report
        }
    }

    package static func records(of path: String) throws -> [(line: String, record: MetricsRecord)] {
        let decoder = JSONDecoder()
        return try LineFile.completeLines(of: path).enumerated().compactMap { index, line in
            if line.isEmpty { return nil }
            do {
                let record = try decoder.decode(MetricsRecord.self, from: Data(line.utf8))
                // Charts count in doubles, from 1.
                guard (0..<1 << 53).contains(record.epoch) else { throw AnnealError("", "no epoch", code: .damaged) }
                return (line, record)
            } catch {
                throw AnnealError(
                    "\(path), line \(index + 1)", "is not a line of metrics",
                    suggestion: "remove the line, or the file", code: .damaged
                )
            }
        }
    }
}

/// One line of `metrics.jsonl`, as far as it is read back.
package struct MetricsRecord: Decodable, Sendable {
    package var event: String
    package var epoch: Int
    var batch: Int?
    var train: [String: Double?]?
    var validation: [String: Double?]?
    var learningRate: Double?
    var seconds: Double?
    var validationSeconds: Double?
    var samplesPerSecond: Double?

    enum CodingKeys: String, CodingKey {
        case event, epoch, batch, train, validation, seconds
        case learningRate = "learning_rate"
        case validationSeconds = "validation_seconds"
        case samplesPerSecond = "samples_per_second"
    }

    /// The run's progress when the line was written.
    var end: FitPosition { FitPosition(afterBatch: event == "epoch" ? nil : batch, of: epoch) }

    /// A value that is not finite was written as null.
    package var report: EpochReport? {
        guard event == "epoch" else { return nil }
        func metrics(_ values: [String: Double?]?) -> [MetricValue] {
            (values ?? [:]).sorted { $0.key < $1.key }.map { MetricValue(name: $0.key, value: $0.value ?? .nan) }
        }
        return EpochReport(
            epoch: epoch, training: metrics(train), validation: metrics(validation), learningRate: learningRate ?? .nan,
            seconds: seconds ?? .nan, validationSeconds: validationSeconds ?? .nan,
            samplesPerSecond: samplesPerSecond ?? .nan)
    }
}
