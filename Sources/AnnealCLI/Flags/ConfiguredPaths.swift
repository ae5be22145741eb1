import Anneal
import AnnealConfiguration

/// Locates the files that a run's `config.yaml` names. Its relative paths start from the folder in which the run was
/// started, or to which the run's project was moved; the new run may be started elsewhere.
struct ConfiguredPaths {
    /// Flags for files that are read. What a run writes is placed below the folder in which it is started.
    private static let flags: Set<String> = [
        "data-train", "data-train-idx", "data-val", "data-val-idx", "class-names", "network", "pretrained-model",
    ]
    /// nil if the file does not belong to a run.
    private let place: RunPlace?

    init(_ configuration: ConfigurationFile) {
        let folder = Files.folder(of: Files.absolute(configuration.path))
        let record = try? RunRecord.read(Files.path(folder, RunFolder.recordName))
        place = record.map { RunPlace($0, folder: folder) }
    }

    /// The path to read: as written if that exists, else relative to where the run was started.
    func found(_ path: String, of flag: String) -> String {
        guard Self.flags.contains(flag), !path.isEmpty, path.utf8.first != UInt8(ascii: "/"), !Self.exists(path),
            let folder = try? place?.workingFolder(holding: []).path
        else { return path }
        let there = Files.path(folder, path)
        return Self.exists(there) ? there : path
    }

    /// A file, or the prefix of a model.
    private static func exists(_ path: String) -> Bool { Files.exists(path) || Files.exists(path + "-symbol.json") }
}
