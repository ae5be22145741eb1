import AnnealCore

/// A record file read past its damage: the records with intact framing, and the bytes between them.
///
/// RecordIO keeps the magic out of payloads at multiples of 4 from their start, so wherever it occurs at such an offset
/// a part begins. A record is intact if its parts follow each other and no part begins inside one of them. After
/// missing bytes, records no longer begin at multiples of 4 in the file; they are found all the same.
public struct RecordSalvage: Sendable {
    /// Bytes that do not belong to an intact record.
    public struct Damage: Sendable, Equatable {
        public var bytes: Range<Int>
        public var problem: String
        /// Whether the file ends inside a record.
        public var isTruncation = false
    }

    /// The file, with the records that were found.
    public let file: RecordFile
    public let damages: [Damage]
    /// What is wrong with the index; empty when there is none.
    public let indexProblems: [AnnealError]

    /// - Parameter index: its keys are kept for the records; if nil, the `.idx` next to the file, if any.
    /// - Throws: `AnnealError` when the file, or an index that was named, cannot be read.
    public init(_ path: String, index: String? = nil) throws {
        let bytes = try FileBytes(path)
        let found = Self.parse(try Self.marks(in: bytes), size: bytes.size)
        let neighbour = index ?? IndexCheck.neighbour(of: path)
        var problems: [AnnealError] = [], keys: [Int: Int] = [:]
        if let neighbour {
            do {
                for entry in try RecordIndex.read(neighbour) { keys[entry.offset] = entry.key }
                problems = Self.problems(of: neighbour, keys, found, bytes)
            } catch let error as AnnealError {
                if index != nil, error.code == .notFound { throw error }
                problems = [error]
            }
        }
        // The keys of a damaged index are not trusted.
        let isKeyed = !keys.isEmpty && found.offsets.allSatisfy { keys[$0] != nil }
        let entries = found.offsets.enumerated().map { number, offset in
            RecordFile.Entry(key: isKeyed ? keys[offset] ?? number : number, offset: offset)
        }
        file = RecordFile(path, bytes: bytes, entries: entries, indexPath: isKeyed ? neighbour : nil)
        damages = found.damages
        indexProblems = problems
    }

    private static func problems(
        of index: String, _ keys: [Int: Int], _ found: Parsed, _ bytes: FileBytes
    ) -> [AnnealError] {
        let there = Set(found.offsets)
        var problems: [AnnealError] = []
        if let (offset, key) = keys.filter({ !there.contains($0.key) }).min(by: { $0.key < $1.key }) {
            let count = keys.keys.count { !there.contains($0) }
            problems.append(
                AnnealError(
                    index,
                    "\(count.counted("key")) of it point\(count == 1 ? "s" : "") to no whole record; "
                        + "the first is \(key), to byte \(offset)", suggestion: "anneal rec index makes it again",
                    code: .mismatch))
        }
        let missing = found.offsets.filter { keys[$0] == nil }
        if let first = missing.first {
            problems.append(
                AnnealError(
                    index,
                    "\(missing.count.counted("record")) of \(bytes.path) not in the index; the first is at byte \(first)",
                    suggestion: "anneal rec index makes it again", code: .mismatch))
        }
        return problems
    }

    // Framing -----------------------------------------------------------------------------------------------------

    /// The offset of a part, and the second word of its header.
    struct Mark: Equatable {
        var offset: Int
        var word: UInt32
        var flag: Int { Int(word >> 29) }
        var length: Int { Int(word & 0x1FFF_FFFF) }
        var end: Int { offset + RecordFraming.framed(length) }
    }

    /// All occurrences of the magic that are followed by another word.
    private static func marks(in bytes: FileBytes) throws -> [Mark] {
        let window = 1 << 22
        var marks: [Mark] = [], buffer: [UInt8] = []
        for start in stride(from: 0, to: bytes.size, by: window) {
            buffer.removeAll(keepingCapacity: true)
            // With the words that begin in the window.
            try bytes.append(min(window + 7, bytes.size - start), at: start, to: &buffer)
            buffer.withUnsafeBytes { buffer in
                for offset in 0..<max(0, min(window, buffer.count - 7))
                where UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                    == RecordFraming.magic
                {
                    let word = buffer.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                    marks.append(Mark(offset: start + offset, word: UInt32(littleEndian: word)))
                }
            }
        }
        return marks
    }

    struct Parsed: Equatable {
        /// The entries of intact records.
        var offsets: [Int] = []
        var damages: [Damage] = []
    }

    static func parse(_ marks: [Mark], size: Int) -> Parsed {
        var result = Parsed()
        // Where the next record is expected.
        var at = 0, next = 0
        while next < marks.count {
            let first = marks[next]
            if first.offset > at {
                result.damages.append(Damage(bytes: at..<first.offset, problem: "bytes that belong to no record"))
            }
            switch record(from: next, marks, size: size) {
            case .whole(let end, let following):
                result.offsets.append(first.offset)
                (at, next) = (end, following)
            case .damaged(let problem, let following):
                next = following
                at = next < marks.count ? marks[next].offset : size
                result.damages.append(
                    Damage(bytes: first.offset..<at, problem: problem, isTruncation: next == marks.count))
            }
        }
        if at < size {
            result.damages.append(
                Damage(bytes: at..<size, problem: "bytes that belong to no record", isTruncation: size - at < 8))
        }
        return result
    }

    private enum Outcome {
        /// Where the record ends, and the index of the first mark after it.
        case whole(end: Int, following: Int)
        /// And the index of the first mark that may begin another record.
        case damaged(String, following: Int)
    }

    private static func record(from start: Int, _ marks: [Mark], size: Int) -> Outcome {
        var index = start
        while true {
            let mark = marks[index], isFirst = index == start
            guard isFirst ? mark.flag < 2 : mark.flag == 2 || mark.flag == 3 else {
                let place = isFirst ? "where a record should start" : "inside a record"
                return .damaged("a part with flag \(mark.flag) \(place)", following: isFirst ? index + 1 : index)
            }
            guard mark.end <= size else {
                return .damaged(
                    "a part of \(mark.length) bytes, but the file has only \(size - mark.offset - 8)",
                    following: index + 1)
            }
            let after = marks[(index + 1)...].firstIndex { $0.offset >= mark.end } ?? marks.count
            let isFollowed = mark.end == size || after < marks.count && marks[after].offset == mark.end
            // At offsets that are not multiples of 4 a payload may contain the magic by chance.
            let inside = marks[(index + 1)..<after].first { ($0.offset - mark.offset) % 4 == 0 || !isFollowed }
            if let inside {
                return .damaged(
                    "a part of \(mark.length) bytes, inside which another part begins at byte \(inside.offset)",
                    following: index + 1)
            }
            if mark.flag == 0 || mark.flag == 3 { return .whole(end: mark.end, following: after) }
            guard isFollowed, after < marks.count else {
                return .damaged("the rest of the record is missing", following: after)
            }
            index = after
        }
    }
}
