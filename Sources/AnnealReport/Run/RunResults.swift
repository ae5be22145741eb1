import AnnealCore
import AnnealTrain
import Foundation

/// The results of a run, as stored in `results.json` once the run is over.
public struct RunResults: Codable, Sendable, Equatable {
    /// A checkpoint by its number.
    public struct Kept: Codable, Sendable, Equatable {
        public var checkpoint: Int
        /// A name in the run's folder, or a path; nil: it was not kept, or could not be saved.
        public var file: String?
        /// The first validation metric, e.g. accuracy; nil without validation.
        public var metric: String?
        public var value: Double?
    }

    /// Completed epochs.
    public var epochs: Int
    public var best: Kept?
    public var last: Kept
    /// The validation of the last weights with test-time augmentation, by metric.
    public var testTimeViews: [String: Double]?

    enum CodingKeys: String, CodingKey {
        case epochs, best, last
        case testTimeViews = "test_time_views"
    }

    /// - Parameters:
    ///   - prefix: the model's prefix.
    ///   - folder: the run's folder.
    init(_ end: RunEnd, prefix: String, folder: String) {
        func kept(_ number: Int, _ best: FitProgress.Best?) -> Kept {
            let path = Checkpoint.parametersPath(prefix, number)
            let isThere = Files.exists(path) && !end.missing.contains { $0.hasPrefix(path) }
            // Relative, because the folder may be moved.
            let file = Files.folder(of: path) == folder ? Files.name(of: path) : path
            return Kept(checkpoint: number, file: isThere ? file : nil, metric: best?.metric, value: best?.value)
        }
        epochs = end.lastCheckpoint
        best = end.best.map { kept($0.checkpoint, $0) }
        last = kept(end.lastCheckpoint, nil)
        let views = end.views.filter(\.value.isFinite).map { ($0.name, $0.value) }
        testTimeViews = views.isEmpty ? nil : Dictionary(views) { first, _ in first }
    }

    /// Reads a `results.json`; nil if it is missing or incomplete.
    public static func read(_ path: String) -> RunResults? {
        (try? Files.read(path)).flatMap { try? JSONDecoder().decode(RunResults.self, from: $0) }
    }

    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

/// Writes a run's `results.json` when it is over and saved; before that there is none.
public final class ResultsWriter: FitObserver {
    private let folder: RunFolder
    private let prefix: String

    /// - Parameter prefix: the model's prefix.
    public init(folder: RunFolder, prefix: String) {
        self.folder = folder
        self.prefix = prefix
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started:
            Files.remove(folder.results)
        case .finished(let end) where !end.interrupted && end.missing.isEmpty:
            let results = RunResults(end, prefix: prefix, folder: folder.path)
            try Files.writeAtomically(results.json(), to: folder.results)
        default:
            break
        }
    }
}
