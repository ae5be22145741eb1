import AnnealCore
import Foundation

extension RecordFile {
    /// `a.idx` for `a.rec`, `a.idx` for `a`.
    public static func indexPath(of records: String) -> String {
        (records.hasSuffix(".rec") ? String(records.dropLast(4)) : records) + ".idx"
    }

    /// Refuses files that would be read and written at the same time.
    /// - Throws: `AnnealError` naming the file.
    public static func checkTargets(_ targets: [String], sources: [String]) throws {
        var seen: [String: String] = [:]
        for source in sources { seen[Files.realPath(source) ?? source] = source }
        for target in targets {
            let real =
                Files.realPath(target)
                ?? Files.path(Files.realPath(Files.folder(of: target)) ?? "", Files.name(of: target))
            if seen.updateValue(target, forKey: real) != nil {
                throw AnnealError(
                    target, "would be read and written at the same time", suggestion: "give the result another name")
            }
        }
    }

    /// How the keys of an index are chosen.
    public enum Keys: String, Sendable, CaseIterable {
        /// The records' numbers, as in MXNet's `rec2idx.py`.
        case number
        /// The ids in the records' headers, as in `im2rec.py`.
        case id
    }

    /// Writes an index.
    /// - Throws: `AnnealError` for two records with the same id.
    public func writeIndex(to path: String, keys: Keys = .number) throws {
        var text = "", seen = Set<UInt64>()
        for number in 0..<count {
            var key = "\(number)"
            if keys == .id {
                let id = try id(of: number)
                guard seen.insert(id).inserted else {
                    throw AnnealError(
                        place(of: number), "has the id \(id), which an earlier record also has",
                        suggestion: "keys must differ: use the records' numbers, --keys number", code: .damaged)
                }
                key = "\(Int64(bitPattern: id))"
            }
            text += "\(key)\t\(entries[number].offset)\n"
        }
        try Files.writeAtomically(Data(text.utf8), to: path)
    }

    /// - Throws: `AnnealError` when the record has no header.
    func id(of number: Int) throws -> UInt64 {
        let header = try read(number, atMost: IRHeader.size)
        guard header.count == IRHeader.size else {
            throw AnnealError(place(of: number), "is not an image record", code: .damaged)
        }
        return header.word64(at: 8)
    }
}

/// Copies chosen records from files to other files, with unchanged payloads.
public struct RecordArranging: Sendable {
    /// One record of one of the files.
    public struct Choice: Sendable, Equatable {
        public var file: Int
        public var number: Int

        public init(file: Int, number: Int) {
            self.file = file
            self.number = number
        }
    }

    public let files: [RecordFile]

    /// - Parameter files: the files to copy records from, addressed by their index.
    public init(_ files: [RecordFile]) { self.files = files }

    /// Every record of every file, in order.
    public var all: [Choice] {
        files.enumerated().flatMap { file, records in (0..<records.count).map { Choice(file: file, number: $0) } }
    }

    /// In an order that depends only on the seed.
    public func shuffled(_ choices: [Choice], seed: UInt64) -> [Choice] {
        var random = Random(seed: seed, purpose: .split)
        return random.permutation(choices.count).map { choices[Int($0)] }
    }

    /// The choices without those with the same payload, after the header, as an earlier one.
    public func withoutDuplicates(_ choices: [Choice], threads: Int = LoaderOptions.defaultThreads) throws -> [Choice] {
        let files = files
        let hashes = try parallelMap(choices.count, threads: threads) { index in
            let payload = try files[choices[index].file].read(choices[index].number)
            var start = 0
            _ = try IRHeader(payload, imageStart: &start)
            return SHA256.digits(of: payload[start...])
        }
        var seen = Set<String>()
        return zip(choices, hashes).filter { seen.insert($1).inserted }.map(\.0)
    }

    /// Writes the choices in order.
    /// - Parameters:
    ///   - renumbers: number keys and ids from 0; else the keys are kept.
    /// - Throws: `AnnealError` for two records with the same key, and when a file cannot be read or written.
    public func write(
        _ choices: [Choice], to target: String, renumbers: Bool, progress: (Int) -> Void = { _ in }
    ) throws {
        try RecordFile.checkTargets([target], sources: files.map(\.path))
        if !renumbers { try checkKeys(choices) }
        let writer = try RecordWriter(target, index: RecordFile.indexPath(of: target))
        var payload: [UInt8] = []
        for (position, choice) in choices.enumerated() {
            let file = files[choice.file]
            try file.read(choice.number, into: &payload)
            if renumbers {
                guard payload.count >= IRHeader.size else {
                    throw AnnealError(file.place(of: choice.number), "is not an image record", code: .damaged)
                }
                var id: [UInt8] = []
                id.append(littleEndian: UInt64(position))
                payload.replaceSubrange(8..<16, with: id)
            }
            try writer.write(payload, key: renumbers ? position : file.entries[choice.number].key)
            progress(position + 1)
        }
        try writer.finish()
    }

    private func checkKeys(_ choices: [Choice]) throws {
        var seen: [Int: Choice] = [:]
        for choice in choices {
            let key = files[choice.file].entries[choice.number].key
            guard let other = seen.updateValue(choice, forKey: key) else { continue }
            throw AnnealError(
                files[choice.file].place(of: choice.number),
                "has the key \(key), which a record of \(files[other.file].path) also has",
                suggestion: "give the records new numbers: --renumber", code: .mismatch)
        }
    }

    /// Splits the choices into parts of the given shares, in order; if `byClass`, each class in the same proportions.
    /// - Parameter shares: their sum must be at most 1.
    /// - Throws: `AnnealError` when a label cannot be read.
    public func parts(_ choices: [Choice], shares: [Double], byClass: Bool) throws -> [[Choice]] {
        var groups: [[Choice]] = [choices]
        if byClass {
            let labels = try choices.map { try files[$0.file].classLabel(of: $0.number) }
            groups = Dictionary(grouping: zip(choices, labels), by: \.1).sorted { $0.key < $1.key }.map {
                $0.value.map(\.0)
            }
        }
        var parts = Array(repeating: [Choice](), count: shares.count), seen = 0
        for group in groups {
            // Rounded over all groups together, so that each part has its share of the whole.
            var before = 0
            for (part, _) in shares.enumerated() {
                let share = shares[...part].reduce(0, +)
                let end = min(
                    group.count,
                    Int((Double(seen + group.count) * share).rounded() - (Double(seen) * share).rounded()))
                parts[part] += group[min(before, group.count)..<max(min(before, group.count), end)]
                before = max(before, end)
            }
            seen += group.count
        }
        let order = Dictionary(
            choices.enumerated().map { ([$1.file, $1.number], $0) }, uniquingKeysWith: { first, _ in first })
        return parts.map { $0.sorted { (order[[$0.file, $0.number]] ?? 0) < (order[[$1.file, $1.number]] ?? 0) } }
    }
}
