import AnnealCore
import AnnealTrain
import Foundation

/// Writes a run to an MLflow file store (`mlruns`): flags as parameters, metrics epoch by epoch, the run's small files
/// as artifacts.
///
/// A store consists of folders of small files: `EXPERIMENT/RUN/meta.yaml`, `metrics/NAME` with lines of `milliseconds
/// value step`, `params/NAME`, `tags/NAME`, `artifacts/`.
public final class MLflowWriter: FitObserver {
    private static let experiment = "anneal", experimentNumber = "726174636869766573"
    private let store: String
    private let folder: RunFolder
    private let record: RunRecord
    private let user: String
    /// The run's id in the store: 32 hexadecimal digits.
    private let identifier: String
    private var startTime = 0

    private enum Status: Int { case running = 1, finished = 3, failed = 4, killed = 5 }

    /// - Parameter store: its folder, e.g. `mlruns`; it is created if it does not exist.
    public init(store: String, folder: RunFolder, record: RunRecord) {
        self.store = Files.absolute(store)
        self.folder = folder
        self.record = record
        user = ProcessInfo.processInfo.environment["USER"] ?? "unknown"
        // The same run always has the same id, so that a resumed run continues its entry.
        identifier = String(
            SHA256.digits(of: Array("\(Files.absolute(folder.path))\(record.machine.host)".utf8)).prefix(32))
    }

    private var path: String { Files.path(Files.path(store, Self.experimentNumber), identifier) }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start): try begin(start)
        case .epoch(let report):
            let now = Self.milliseconds()
            let metrics =
                report.training.map { ("train_\($0.name)", $0.value) }
                + report.validation.map { ("validation_\($0.name)", $0.value) }
                + [
                    ("learning_rate", report.learningRate), ("seconds", report.wholeSeconds),
                    ("samples_per_second", report.samplesPerSecond),
                ]
            for (name, value) in metrics {
                // MLflow parses numbers with Python's float().
                let file = try AppendedFile(Files.path(Files.path(path, "metrics"), Self.name(name)))
                try file.append(Data("\(now) \(value.isNaN ? "nan" : "\(value)") \(report.epoch + 1)\n".utf8))
            }
        case .finished(let end):
            try addArtifacts()
            try writeMeta(
                end.interrupted ? .killed : end.missing.isEmpty ? .finished : .failed, end: Self.milliseconds())
        default: break
        }
    }

    /// The run ends with an error.
    public func fail() { try? writeMeta(.failed, end: Self.milliseconds()) }

    private static func milliseconds() -> Int { Int(Date().timeIntervalSince1970 * 1000) }

    private func begin(_ start: RunStart) throws {
        startTime = Self.milliseconds()
        let experiment = Files.path(store, Self.experimentNumber)
        for name in ["metrics", "params", "tags", "artifacts"] { try Files.makeFolder(Files.path(path, name)) }
        let meta = Files.path(experiment, "meta.yaml")
        if !Files.exists(meta) {
            try Self.write(
                meta,
                [
                    ("artifact_location", Self.address(experiment)), ("creation_time", "\(startTime)"),
                    ("experiment_id", "'\(Self.experimentNumber)'"), ("last_update_time", "\(startTime)"),
                    ("lifecycle_stage", "active"), ("name", Self.experiment),
                ])
        }
        try writeMeta(.running, end: nil)
        for (flag, value) in record.arguments {
            try put("params", flag, value.text)
        }
        let tags = [
            "mlflow.runName": FilePath(folder.path).name.description, "mlflow.user": user,
            "mlflow.source.name": record.commandLine.joined(separator: " "), "mlflow.source.type": "LOCAL",
            "anneal.version": record.version, "anneal.run_folder": Files.absolute(folder.path),
        ]
        for (name, value) in tags { try put("tags", name, value) }
        try dropMetrics(after: start.position.epoch)
    }

    /// A resumed run repeats epochs.
    private func dropMetrics(after epoch: Int) throws {
        let folder = Files.path(path, "metrics")
        for name in try Files.names(in: folder) {
            let file = Files.path(folder, name)
            let kept = try LineFile.completeLines(of: file).filter { line in
                line.split(separator: " ").last.flatMap { Int($0) }.map { $0 <= epoch } ?? false
            }
            try Files.writeAtomically(Data(kept.map { $0 + "\n" }.joined().utf8), to: file)
        }
    }

    private func put(_ kind: String, _ name: String, _ value: String) throws {
        // MLflow refuses longer ones.
        let text = value.printable().prefix(5000)
        try Files.writeAtomically(Data(text.utf8), to: Files.path(Files.path(path, kind), Self.name(name)))
    }

    private func addArtifacts() throws {
        let names = [
            "report.html", "README.md", "curves.png", "metrics.csv", "log.txt", "config.yaml", "predictions.csv",
            "evaluation.json",
        ]
        for name in names where Files.exists(folder.file(name)) {
            let target = Files.path(Files.path(path, "artifacts"), name)
            try Files.writeAtomically(try Files.read(folder.file(name)), to: target)
        }
    }

    private func writeMeta(_ status: Status, end: Int?) throws {
        let artifacts = Self.address(Files.path(path, "artifacts"))
        try Self.write(
            Files.path(path, "meta.yaml"),
            [
                ("artifact_uri", artifacts), ("end_time", end.map(String.init) ?? "null"), ("entry_point_name", "''"),
                ("experiment_id", "'\(Self.experimentNumber)'"), ("lifecycle_stage", "active"),
                ("run_id", "'\(identifier)'"), ("run_name", Self.quoted(FilePath(folder.path).name.description)),
                ("run_uuid", "'\(identifier)'"), ("source_name", "''"), ("source_type", "4"), ("source_version", "''"),
                ("start_time", "\(startTime)"), ("status", "\(status.rawValue)"), ("tags", "[]"),
                ("user_id", Self.quoted(user)),
            ])
    }

    private static func write(_ path: String, _ fields: [(String, String)]) throws {
        try Files.writeAtomically(Data(fields.map { "\($0): \($1)\n" }.joined().utf8), to: path)
    }

    /// A string of YAML.
    private static func quoted(_ text: String) -> String {
        "'" + text.printable().replacingOccurrences(of: "'", with: "''") + "'"
    }

    /// A file's URL, with special characters as %XX.
    private static func address(_ path: String) -> String {
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
        return quoted("file://" + (path.addingPercentEncoding(withAllowedCharacters: plain) ?? path))
    }

    /// MLflow's names consist of letters, digits and some signs.
    private static func name(_ text: String) -> String {
        let name = String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || "_-. ".contains($0)) ? $0 : "_" })
        return name.hasPrefix(".") ? "_" + name.dropFirst() : name
    }
}
