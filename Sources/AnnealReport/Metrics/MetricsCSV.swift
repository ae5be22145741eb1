import AnnealCore
import AnnealTrain
import Foundation

/// A row an epoch: `epoch`, `train_accuracy`, …, `validation_accuracy`, …, `learning_rate`, `seconds`,
/// `validation_seconds`, `samples_per_second`. Epochs count from 0, as in the log.
///
/// A run that starts at epoch N keeps the rows of the epochs before N and drops the others, so that a resumed run has
/// one row for each epoch. Rows are appended; the file is rewritten, atomically, only when a new metric widens it.
public final class MetricsCSV: FitObserver {
    private let path: String
    private var columns: [String] = []
    private var rows: [[String: String]] = []
    private var file: LineFile?

    public init(path: String) { self.path = path }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start): try load(before: start.position.epoch)
        case .epoch(let report): try add(Self.row(report))
        default: break
        }
    }

    private func add(_ row: [(column: String, value: String)]) throws {
        let widened = merged(columns, row.map(\.column))
        rows.append(Dictionary(row.map { ($0.column, $0.value) }) { first, _ in first })
        if widened != columns || file == nil {
            columns = widened
            try rewrite()
        } else {
            try file?.append(line(rows[rows.count - 1]))
            try file?.sync()
        }
    }

    private func rewrite() throws {
        file = nil
        let lines = [CSV.line(columns)] + rows.map(line)
        try Files.writeAtomically(Data((lines.joined(separator: "\n") + "\n").utf8), to: path)
        file = try LineFile(appendingTo: path)
    }

    private func line(_ row: [String: String]) -> String {
        CSV.line(columns.map { row[$0] ?? "" })
    }

    /// Takes over the rows of the epochs before `epoch`.
    private func load(before epoch: Int) throws {
        (columns, rows, file) = ([], [], nil)
        let lines = try LineFile.completeLines(of: path)
        guard let header = lines.first else { return }
        columns = CSV.fields(header)
        guard columns.first == "epoch" else {
            throw AnnealError(path, "is not a table of metrics: its first column is not `epoch`")
        }
        for (index, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            let fields = CSV.fields(line)
            guard fields.count == columns.count, let number = Int(fields[0]) else {
                throw AnnealError(
                    "\(path), line \(index + 1)", "\(fields.count) fields, expected an epoch and \(columns.count - 1)")
            }
            if number < epoch { rows.append(Dictionary(zip(columns, fields)) { first, _ in first }) }
        }
        if rows.isEmpty { columns = [] } else { try rewrite() }
    }

    private static func row(_ report: EpochReport) -> [(column: String, value: String)] {
        [("epoch", "\(report.epoch)")]
            + report.training.map { ("train_\(columnName($0.name))", number($0.value)) }
            + report.validation.map { ("validation_\(columnName($0.name))", number($0.value)) }
            + [
                ("learning_rate", number(report.learningRate)), ("seconds", number(report.seconds)),
                ("validation_seconds", number(report.validationSeconds)),
                ("samples_per_second", number(report.samplesPerSecond)),
            ]
    }

    /// `cross-entropy` → `cross_entropy`: a name that pandas and SQL take without quotes.
    private static func columnName(_ metric: String) -> String {
        String(metric.map { $0 == "-" || $0.isWhitespace ? "_" : $0 })
    }

    /// The shortest digits that read back as the same number; `nan`, `inf`.
    private static func number(_ value: Double) -> String { value.isNaN ? "nan" : "\(value)" }

    /// The new columns, each after the column that it follows in its own row; old ones stay.
    private func merged(_ old: [String], _ new: [String]) -> [String] {
        var result = old
        for (index, column) in new.enumerated() where !result.contains(column) {
            let before = index > 0 ? result.firstIndex(of: new[index - 1]) : nil
            result.insert(column, at: before.map { $0 + 1 } ?? 0)
        }
        return result
    }
}
