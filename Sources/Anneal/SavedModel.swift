import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation

/// A saved checkpoint, found by the model's name: the prefix of its files, the folder of its run, or one of its files;
/// or a model file of another framework, which `ForeignModel` reads.
///
/// ```swift
/// let checkpoint = try SavedModel("runs/2026-11-23_10-00-00-train", .best).load()
/// ```
public struct SavedModel: Sendable, Equatable {
    /// The prefix of `PREFIX-symbol.json` and `PREFIX-NNNN.params`.
    public let prefix: String
    /// The checkpoint's number, NNNN.
    public let number: Int
    /// The file if it is another framework's; then the prefix is its name without the suffix, and the number 0.
    public let foreignFile: String?

    /// The path of the parameters.
    public var parametersPath: String { foreignFile ?? Checkpoint.parametersPath(prefix, number) }
    /// The path of the graph.
    public var symbolPath: String { foreignFile ?? Checkpoint.symbolPath(prefix) }
    /// The path of the preprocessing record, which may not exist.
    public var recordPath: String { foreignFile ?? Preprocessing.path(prefix) }

    /// The contents of a model's files.
    public struct Content: Sendable {
        public var checkpoint: Checkpoint
        /// nil if it is not known how images were normalised, as for MXNet's checkpoints.
        public var preprocessing: Preprocessing?
        /// Channels, height, width, as far as the files say.
        public var imageShape: [Int]?
        /// For another framework's model without a preprocessing record: its class names, if any.
        public var foreignClassNames: [String]?
        /// For another framework's model: notes for the user, one sentence each.
        public var notes: [String] = []
    }

    /// - Parameters:
    ///   - model: a prefix, a run's folder, a `.params` or a `-symbol.json` file, or a model file of another framework.
    ///   - choice: nil: the only existing checkpoint, or the one that `model` names.
    /// - Throws: `AnnealError` if there is no such model, or if it is ambiguous which checkpoint is meant.
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

    /// Reads the symbol and the parameters.
    /// - Throws: `AnnealError` naming the file that is missing or damaged.
    public func load() throws -> Checkpoint { try content().checkpoint }

    /// Reads the model.
    /// - Parameter imageShape: (channels, height, width) if a file of another framework does not say, or to use its
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

    /// A model's graph, and the shape of its images as far as its files say; no parameters are read except from a file
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

    /// The name has the suffix of another framework's files, and is not the prefix of a checkpoint.
    package static func isForeign(_ model: String) -> Bool {
        ForeignModel.isModelFile(model) && !Files.isFolder(model) && !Files.exists(Checkpoint.symbolPath(model))
    }

    /// The prefix of a model's files, when no parameters are needed.
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
                path, "is not a checkpoint's file name",
                suggestion:
                    "name it PREFIX-NNNN.params, as in resnet-0010.params, with its PREFIX-symbol.json next to it")
        }
        return (String(stem[..<dash]), number)
    }

    /// A run's model is in its folder, or where its --model-prefix pointed; another folder may hold one model.
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

    /// Where the run of a record put its model; nil if it no longer exists.
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
