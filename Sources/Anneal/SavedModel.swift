import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation

/// A checkpoint on the disk, found by what people call a model: the prefix of its files, the folder of its run, or one of
/// its files.
///
/// ```swift
/// let checkpoint = try SavedModel("runs/2026-11-23_10-00-00-train", .best).load()
/// ```
public struct SavedModel: Sendable, Equatable {
    /// Of `PREFIX-symbol.json` and `PREFIX-NNNN.params`.
    public let prefix: String
    /// The checkpoint's number, NNNN.
    public let number: Int

    public var parametersPath: String { Checkpoint.parametersPath(prefix, number) }

    /// - Parameters:
    ///   - model: a prefix, a run's folder, a `.params` or a `-symbol.json` file.
    ///   - choice: nil: the only checkpoint that is there, or the one whose file `model` names.
    /// - Throws: `AnnealError` if there is no such model, or it is not clear which of its checkpoints is meant.
    public init(_ model: String, _ choice: CheckpointChoice? = nil) throws {
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

    public func load() throws -> Checkpoint { try Checkpoint.load(prefix: prefix, epoch: number) }

    /// The prefix of a model's files, for what needs no parameters.
    public static func prefix(_ model: String) throws -> String {
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
