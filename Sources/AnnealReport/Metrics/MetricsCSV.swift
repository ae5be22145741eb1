import AnnealCore
import AnnealTrain
import Foundation

/// One row per epoch: `epoch`, `checkpoint`, `train_accuracy`, …, `validation_accuracy`, …, `learning_rate`, `seconds`,
/// `validation_seconds`, `samples_per_second`. Epochs count from 0, as in MXNet's log; `checkpoint` is the number shown
/// in the terminal and used in file names and `--load-epoch`.
///
/// A run that starts at epoch N keeps the rows of the epochs before N and drops the others, so that a resumed run has
/// one row for each epoch. Rows are appended; the file is rewritten, atomically, only when a new metric adds a column,
/// or when a row could not be written.
public final class MetricsCSV: FitObserver {
    private let path: String
    private var columns: [String] = []
    /// Open once there is a row of this run, unless the last one could not be written.
    private var file: LineFile?
    /// Whether the file belongs to this run.
    private var isBegun = false
    /// Rows that could not be written yet.
    private var pending: [[String: String]] = []

    /// - Parameter path: the CSV file; an existing one is continued.
    public init(path: String) { self.path = path }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start): try load(before: start.position.epoch)
        case .epoch(let report): try add(Self.row(report))
        case .finished where !pending.isEmpty: try write(columns: columns)
        default: break
        }
    }

    private func add(_ row: [(column: String, value: String)]) throws {
        pending.append(Dictionary(row.map { ($0.column, $0.value) }) { first, _ in first })
        try write(columns: merged(columns, row.map(\.column)))
    }

    private func write(columns widened: [String]) throws {
        guard let file, widened == columns, !file.isGone else {
            let epochs = Set(pending.map { $0["epoch"] })
            return try rewrite(try written().filter { !epochs.contains($0["epoch"]) } + pending, columns: widened)
        }
        do {
            for row in pending { try file.append(line(row)) }
            try file.sync()
        } catch {
            // The next row rewrites the file.
            self.file = nil
            throw error
        }
        pending = []
    }

    private func rewrite(_ rows: [[String: String]], columns: [String]) throws {
        file = nil
        self.columns = columns
        let folder = Files.folder(of: path)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        let lines = [CSV.line(columns)] + rows.map(line)
        try Files.writeAtomically(Data((lines.joined(separator: "\n") + "\n").utf8), to: path)
        isBegun = true
        pending = []
        file = try LineFile(appendingTo: path)
    }

    private func line(_ row: [String: String]) -> String {
        CSV.line(columns.map { row[$0] ?? "" })
    }

    /// The rows that this run continues: those of the epochs before `epoch`.
    private func load(before epoch: Int) throws {
        (columns, file, pending) = ([], nil, [])
        let lines = try LineFile.completeLines(of: path)
        guard let header = lines.first else { return }
        columns = CSV.fields(header)
        guard columns.first == "epoch" else {
            throw AnnealError(path, "is not a table of metrics: its first column is not `epoch`", code: .damaged)
        }
        var rows: [[String: String]] = []
        for (index, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            let fields = CSV.fields(line)
            guard fields.count == columns.count, let number = Int(fields[0]), number < Int.max else {
                throw AnnealError(
                    "\(path), line \(index + 1)", "\(fields.count) fields, expected an epoch and \(columns.count - 1)",
                    code: .damaged)
            }
            guard number < epoch else { continue }
            var row = Dictionary(zip(columns, fields)) { first, _ in first }
            // Version 0.1 did not have the column.
            row["checkpoint"] = row["checkpoint"] ?? "\(number + 1)"
            rows.append(row)
        }
        if rows.isEmpty { columns = [] } else { try rewrite(rows, columns: merged(columns, ["epoch", "checkpoint"])) }
    }

    /// The rows so far, read back from the file, even if it was deleted or moved: a long run keeps none of them in
    /// memory.
    private func written() throws -> [[String: String]] {
        guard isBegun else { return [] }
        let lines = try Files.exists(path) ? LineFile.completeLines(of: path) : file?.completeLines() ?? []
        let header = lines.first.map(CSV.fields) ?? []
        return lines.dropFirst().map { Dictionary(zip(header, CSV.fields($0))) { first, _ in first } }
    }

    private static func row(_ report: EpochReport) -> [(column: String, value: String)] {
        [("epoch", "\(report.epoch)"), ("checkpoint", "\(report.epoch + 1)")]
            + report.training.map { ("train_\(columnName($0.name))", number($0.value)) }
            + report.validation.map { ("validation_\(columnName($0.name))", number($0.value)) }
            + [
                ("learning_rate", number(report.learningRate)), ("seconds", number(report.seconds)),
                ("validation_seconds", number(report.validationSeconds)),
                ("samples_per_second", number(report.samplesPerSecond)),
            ]
    }

    /// `cross-entropy` → `cross_entropy`: a name that pandas and SQL accept without quotes.
    private static func columnName(_ metric: String) -> String {
        String(metric.map { $0 == "-" || $0.isWhitespace ? "_" : $0 })
    }

    /// The shortest digits that read back as the same number; `nan`, `inf`.
    private static func number(_ value: Double) -> String { value.isNaN ? "nan" : "\(value)" }

    /// Inserts new columns, each after the column that it follows in its own row; old ones stay.
    private func merged(_ old: [String], _ new: [String]) -> [String] {
        var result = old
        for (index, column) in new.enumerated() where !result.contains(column) {
            let before = index > 0 ? result.firstIndex(of: new[index - 1]) : nil
            result.insert(column, at: before.map { $0 + 1 } ?? 0)
        }
        return result
    }
}
