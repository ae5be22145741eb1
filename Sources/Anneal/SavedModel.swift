import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation

/// A checkpoint on the disk, found by what people call a model: the prefix of its files, the folder of its run, or one of
/// its files; or a model file of another framework, which `ForeignModel` reads.
///
/// ```swift
/// let checkpoint = try SavedModel("runs/2026-11-23_10-00-00-train", .best).load()
/// ```
public struct SavedModel: Sendable, Equatable {
    /// Of `PREFIX-symbol.json` and `PREFIX-NNNN.params`.
    public let prefix: String
    /// The checkpoint's number, NNNN.
    public let number: Int
    /// The file, if it is another framework's; its prefix is the file's name without the ending then, its number 0.
    public let foreignFile: String?

    /// Where the parameters are.
    public var parametersPath: String { foreignFile ?? Checkpoint.parametersPath(prefix, number) }
    /// Where the graph is.
    public var symbolPath: String { foreignFile ?? Checkpoint.symbolPath(prefix) }
    /// Where the record of preprocessing is, or would be.
    public var recordPath: String { foreignFile ?? Preprocessing.path(prefix) }

    /// What a model's files hold.
    public struct Content: Sendable {
        public var checkpoint: Checkpoint
        /// nil if it is not known by which numbers images were prepared, as of MXNet's checkpoints.
        public var preprocessing: Preprocessing?
        /// Channels, height, width, as far as the files say.
        public var imageShape: [Int]?
        /// Of another framework's model without a record of preprocessing: its class names, if it has them.
        public var foreignClassNames: [String]?
        /// Of another framework's model: what a user should know, a sentence each.
        public var notes: [String] = []
    }

    /// - Parameters:
    ///   - model: a prefix, a run's folder, a `.params` or a `-symbol.json` file, or a model file of another framework.
    ///   - choice: nil: the only checkpoint that is there, or the one whose file `model` names.
    /// - Throws: `AnnealError` if there is no such model, or it is not clear which of its checkpoints is meant.
    public init(_ model: String, _ choice: CheckpointChoice? = nil) throws {
        if Self.isForeign(model) {
            guard choice == nil || choice == .number(0) else {
                throw AnnealError(
                    model, "has no checkpoints to choose from", suggestion: "leave --load-epoch out")
            }
            (prefix, number, foreignFile) = (ForeignModel.stem(model), 0, model)
            return
        }
        foreignFile = nil
        guard model.hasSuffix(Self.parametersEnding) else {
            prefix = try Self.prefix(model)
            number = try Checkpoint.number(prefix: prefix, choice)
            return
        }
        (prefix, number) = try Self.parts(ofParameters: model)
        guard choice == nil || choice == .number(number) else {
            throw AnnealError(
                model, "is checkpoint \(number), not \(choice.map { "\($0)" } ?? "")",
                suggestion: "leave --load-epoch out, or name the model by its prefix, \(prefix)")
        }
        try Checkpoint.checkExists(prefix: prefix, epoch: number)
    }

    public func load() throws -> Checkpoint { try content().checkpoint }

    /// Reads the model.
    /// - Parameter imageShape: (channels, height, width) where a file of another framework does not say, or to use its
    ///   network for other images.
    public func content(imageShape: [Int]? = nil) throws -> Content {
        guard let foreignFile else {
            let record = try Preprocessing.load(prefix: prefix)
            return Content(
                checkpoint: try Checkpoint.load(prefix: prefix, epoch: number), preprocessing: record,
                imageShape: record?.imageShape)
        }
        let model = try ForeignModel(foreignFile, imageShape: imageShape)
        return Content(
            checkpoint: model.checkpoint(), preprocessing: model.preprocessing, imageShape: model.imageShape,
            foreignClassNames: model.classNames, notes: model.notes)
    }

    /// A model's graph, and the shape of its images as far as its files say; no parameters are read but those of a file
    /// that holds both.
    public static func network(_ model: String, imageShape: [Int]? = nil) throws -> (symbol: Symbol, imageShape: [Int]?)
    {
        if isForeign(model) {
            let foreign = try ForeignModel(model, imageShape: imageShape)
            return (foreign.symbol, foreign.imageShape)
        }
        let prefix = try prefix(model)
        return (try Symbol.load(Checkpoint.symbolPath(prefix)), try Preprocessing.load(prefix: prefix)?.imageShape)
    }

    /// The name ends as those of another framework's files do, and it is not the prefix of a checkpoint.
    package static func isForeign(_ model: String) -> Bool {
        ForeignModel.isModelFile(model) && !Files.isFolder(model) && !Files.exists(Checkpoint.symbolPath(model))
    }

    /// The prefix of a model's files, for what needs no parameters.
    public static func prefix(_ model: String) throws -> String {
        if isForeign(model) { return ForeignModel.stem(model) }
        if model.hasSuffix(parametersEnding) { return try parts(ofParameters: model).prefix }
        if model.hasSuffix(symbolEnding) { return String(model.dropLast(symbolEnding.count)) }
        guard Files.isFolder(model), !Files.exists(Checkpoint.symbolPath(model)) else { return model }
        return try prefix(inFolder: model)
    }

    private static let parametersEnding = ".params", symbolEnding = "-symbol.json"

    /// `a/m-0012.params` is checkpoint 12 of a/m.
    private static func parts(ofParameters path: String) throws -> (prefix: String, number: Int) {
        let stem = path.dropLast(parametersEnding.count)
        guard let dash = stem.lastIndex(of: "-"), let number = Int(stem[stem.index(after: dash)...]), number >= 0,
            Checkpoint.parametersPath(String(stem[..<dash]), number) == path
        else {
            throw AnnealError(
                path, "is not named as checkpoints are",
                suggestion:
                    "name it PREFIX-NNNN.params, as in resnet-0010.params, with its PREFIX-symbol.json next to it")
        }
        return (String(stem[..<dash]), number)
    }

    /// A run's model is in its folder, or where its --model-prefix was; another folder may hold one model.
    private static func prefix(inFolder folder: String) throws -> String {
        let own = Files.path(folder, "model")
        if Files.exists(Checkpoint.symbolPath(own)) { return own }
        let record = Files.path(folder, RunFolder.recordName)
        if Files.exists(record), let prefix = try recordedPrefix(record, folder) { return prefix }
        let names = try Files.names(in: folder)
            .filter { $0.hasSuffix(symbolEnding) && $0.count > symbolEnding.count }
        guard let only = names.first, names.count == 1 else {
            throw AnnealError(
                folder,
                names.isEmpty
                    ? "holds no model: no file there ends in \(symbolEnding)"
                    : "holds \(names.count) models: \(names.prefix(4).joined(separator: ", "))",
                suggestion: "name a model by its prefix, as in \(Files.path(folder, "model"))",
                code: names.isEmpty ? .notFound : .invalidInput)
        }
        return Files.path(folder, String(only.dropLast(symbolEnding.count)))
    }

    /// Where the run of a record put its model; nil if there is none by now.
    private static func recordedPrefix(_ path: String, _ folder: String) throws -> String? {
        let record = try RunRecord.read(path)
        guard case .string(let prefix)? = record.arguments["model-prefix"] else { return nil }
        let isAbsolute = prefix.utf8.first == UInt8(ascii: "/"), place = RunPlace(record, folder: folder)
        let folders = [place.moved, place.recorded].compactMap(\.self)
        let places =
            isAbsolute
            ? [prefix] : folders.map { $0 == Files.workingFolder ? prefix : Files.path($0, prefix) } + [prefix]
        return places.first { Files.exists(Checkpoint.symbolPath($0)) }
    }
}
