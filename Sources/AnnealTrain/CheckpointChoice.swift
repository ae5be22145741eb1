import AnnealCore
import Foundation

/// A choice among a model's checkpoints.
public enum CheckpointChoice: Sendable, Equatable, CustomStringConvertible {
    /// The NNNN of `PREFIX-NNNN.params`: the number of epochs done when it was saved.
    case number(Int)
    /// The one with the best validation, according to the state of the run that saved it.
    case best
    /// The run's newest.
    case last

    /// `12`, `0012`, `best` or `last`; nil for anything else.
    public init?(_ text: String) {
        switch text {
        case "best": self = .best
        case "last": self = .last
        default:
            guard let number = Int(text), number >= 0 else { return nil }
            self = .number(number)
        }
    }

    public var description: String {
        switch self {
        case .number(let number): "\(number)"
        case .best: "best"
        case .last: "last"
        }
    }
}

extension Checkpoint {
    /// The numbers of a prefix's checkpoints, in ascending order. A folder that cannot be read has none.
    public static func numbers(prefix: String) -> [Int] {
        let folder = Files.folder(of: prefix), stem = Files.name(of: prefix) + "-"
        return ((try? Files.names(in: folder)) ?? []).compactMap { name in
            // By bytes: a composed and a decomposed é are two names.
            guard name.utf8.starts(with: stem.utf8), name.hasSuffix(".params"),
                let digits = String(name.utf8.dropFirst(stem.utf8.count)),
                let number = Int(digits.dropLast(".params".count)),
                // As written: not `-012`, nor the file of a prefix that ends in digits.
                name.utf8.elementsEqual(Files.name(of: parametersPath(prefix, number)).utf8)
            else { return nil }
            return number
        }.sorted()
    }

    /// The number of the chosen checkpoint.
    /// - Parameter choice: nil: the only existing one.
    /// - Throws: an error that lists the existing checkpoints if the choice is ambiguous or the checkpoint is missing.
    public static func number(prefix: String, _ choice: CheckpointChoice?) throws -> Int {
        let numbers = numbers(prefix: prefix)
        switch choice {
        case .number(let number):
            try checkExists(prefix: prefix, epoch: number)
            return number
        case nil:
            guard let first = numbers.first else { throw noneIsThere(prefix) }
            guard numbers.count == 1 else {
                throw AnnealError(
                    prefix, "has the checkpoints \(list(numbers))",
                    suggestion: "choose with --load-epoch N, best or last")
            }
            return first
        case .last:
            guard let newest = numbers.last else { throw noneIsThere(prefix) }
            // Checkpoints of an earlier, longer run may have higher numbers.
            let epoch = try savedProgress(prefix, numbers)?.position.epoch
            return epoch.flatMap { epoch in numbers.last { $0 <= epoch } } ?? newest
        case .best:
            guard !numbers.isEmpty else { throw noneIsThere(prefix) }
            guard let progress = try savedProgress(prefix, numbers) else {
                throw AnnealError(
                    latestPath(prefix), "does not exist, so it is not known which checkpoint is the best",
                    suggestion: "choose one with --load-epoch: \(list(numbers))")
            }
            guard let best = progress.best else {
                throw AnnealError(
                    prefix, "belongs to a run without validation, so none of its checkpoints is the best",
                    suggestion: "choose one with --load-epoch: \(list(numbers))")
            }
            guard numbers.contains(best.checkpoint) else {
                throw AnnealError(
                    parametersPath(prefix, best.checkpoint),
                    "was the best, with \(best.metric) \(best.value), and does not exist",
                    suggestion: "choose one with --load-epoch: \(list(numbers))", code: .notFound)
            }
            return best.checkpoint
        }
    }

    /// The progress of the last run that saved.
    private static func savedProgress(_ prefix: String, _ numbers: [Int]) throws -> FitProgress? {
        let paths = [latestPath(prefix)] + numbers.reversed().map { resumePath(prefix, $0) }
        return try paths.first(where: Files.exists).map { try Trainer.savedRun($0).progress }
    }

    /// Throws an error that names the existing checkpoints if this one does not exist.
    public static func checkExists(prefix: String, epoch: Int) throws {
        let path = parametersPath(prefix, epoch)
        guard !Files.exists(path) else { return }
        let numbers = numbers(prefix: prefix)
        throw AnnealError(
            path, "does not exist",
            suggestion: numbers.isEmpty
                ? "there is no checkpoint with the prefix \(prefix)"
                : numbers.count == 1
                    ? "there is only checkpoint \(list(numbers))" : "there are the checkpoints \(list(numbers))",
            code: .notFound)
    }

    private static func noneIsThere(_ prefix: String) -> AnnealError {
        let ending = symbolPath("")
        let near =
            Spelling.existingPath(like: symbolPath(prefix)).flatMap {
                $0.hasSuffix(ending) ? String($0.dropLast(ending.count)) : nil
            } ?? Spelling.existingPath(like: prefix)
        return AnnealError(
            "\(prefix)-NNNN.params", "does not exist",
            suggestion: Spelling.question(near.map { [$0] } ?? [])
                + "name a model by its prefix, its run's folder or one of its .params files", code: .notFound)
    }

    /// `1, 2, 3`; the first and the last few if there are many.
    static func list(_ numbers: [Int]) -> String {
        guard numbers.count > 8 else { return numbers.map(String.init).joined(separator: ", ") }
        let ends = [numbers.prefix(2), numbers.suffix(4)].map { $0.map(String.init).joined(separator: ", ") }
        return "\(ends[0]), … \(ends[1]) (\(numbers.count) in all)"
    }

    /// The first parameter or statistic of the network with a NaN or an infinity; nil if all are finite.
    public func firstNonFiniteParameter() throws -> String? {
        try symbol.argumentNames().first { arguments[$0]?.isFinite == false }
            ?? symbol.auxiliaryNames().first { auxiliary[$0]?.isFinite == false }
    }
}

extension Tensor {
    /// Whether no element is a NaN or an infinity.
    package var isFinite: Bool { !elements.contains { !$0.isFinite } }
}
