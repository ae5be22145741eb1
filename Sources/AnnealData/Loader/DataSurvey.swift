import AnnealCore
import Foundation

/// Looks at the data before a run: the labels, and a fingerprint. 150 GB of records must not delay a run, so only the
/// header of each record is read, a part of the image of 1,000 records, and for files no more than their sizes.
extension SampleSource {
    public func checkImages() throws {}
    public func survey(classes: Int, like earlier: DataFingerprint?, skipsBad: Bool) throws -> DataFingerprint? { nil }

    /// As above, for data in which every sample must be good.
    public func survey(classes: Int, like earlier: DataFingerprint?) throws -> DataFingerprint? {
        try survey(classes: classes, like: earlier, skipsBad: false)
    }
}

extension RecordFile {
    /// Record headers that one thread reads at a time.
    private static let block = 1024
    /// Blocks to read before the clock is checked.
    private static let round = 128
    /// On a slow disk the headers of some records must suffice.
    private static let patience = 20.0
    private static let samples = 1000
    /// Bytes after the header, in the middle and at the end of a sampled payload; a shorter one is read completely.
    private static let piece = 1 << 12
    private static let threads = 2 * LoaderOptions.defaultThreads
    /// Bytes at the start of a payload that its hash covers: the header and a few labels.
    private static let hashed = IRHeader.size + 4 * 4

    public func survey(classes: Int, like earlier: DataFingerprint?, skipsBad: Bool) throws -> DataFingerprint? {
        DataFingerprint(
            kind: .records, count: count, bytes: size,
            parts: [
                "offsets": offsetsPart(),
                "samples": try samplesPart(isFew: isLooked(Self.fewSamples, earlier?.parts["samples"])),
                "headers": isLooked(Self.fewRecords, earlier?.parts["headers"])
                    ? try fewHeadersPart(classes, skipsBad: skipsBad)
                    : try headersPart(classes, atMost: earlier?.parts["headers"]?.count, skipsBad: skipsBad),
            ])
    }

    private static let fewSamples = 8

    /// Whether only a few records are sampled: as in an earlier fingerprint or, for the first, because the file is
    /// large.
    private func isLooked(_ few: Int, _ earlier: DataFingerprint.Part?) -> Bool {
        earlier.map { $0.count == few && count > few } ?? isLarge
    }

    private func fewHeadersPart(_ classes: Int, skipsBad: Bool) throws -> DataFingerprint.Part {
        let numbers = Self.spread(Self.fewRecords, of: count)
        let found = try headers(of: numbers, classes, skipsBad: skipsBad)
        try found.labels.check(of: numbers.count)
        return .init(count: numbers.count, hash: found.hash)
    }

    /// Labels that are not class numbers.
    private struct WrongLabels: Sendable {
        var count = 0
        var first: AnnealError?

        mutating func add(_ other: WrongLabels) {
            count += other.count
            first = first ?? other.first
        }

        /// - Throws: the first error, if there are too many for damage.
        func check(of looked: Int) throws {
            if let first, !ClassLabel.areDamaged(count, of: looked) { throw first }
        }
    }

    /// Keys are left out: they differ if an index was created later.
    private func offsetsPart() -> DataFingerprint.Part {
        var hash = SHA256()
        entries.map { UInt64($0.offset).littleEndian }.withUnsafeBytes { hash.update($0) }
        return .init(count: count, hash: hash.finish())
    }

    private func samplesPart(isFew: Bool) throws -> DataFingerprint.Part {
        if isFew { return try samplesPart(Self.spread(Self.fewSamples, of: count)) }
        var random = Random(seed: 0, purpose: .fingerprint)
        var chosen = Set<Int>()
        if count <= Self.samples {
            chosen.formUnion(0..<count)
        } else {
            while chosen.count < Self.samples { chosen.insert(random.below(count)) }
        }
        return try samplesPart(chosen.sorted())
    }

    private func samplesPart(_ numbers: [Int]) throws -> DataFingerprint.Part {
        let hashes = try parallelMap(numbers.count, threads: Self.threads) { index in
            let payload = try? pieces(of: numbers[index])
            return payload.map { SHA256.digits(of: $0) } ?? "unreadable"
        }
        return .init(count: numbers.count, hash: SHA256.digits(of: hashes.joined().utf8))
    }

    private func pieces(of number: Int) throws -> [UInt8] {
        let parts = try parts(of: number), length = parts[0].length, piece = Self.piece
        guard parts.count == 1, length > 4 * piece else {
            return Array(try read(number, atMost: 4 * piece).dropFirst(IRHeader.size))
        }
        let start = entries[number].offset + RecordFraming.headerSize
        var found: [UInt8] = []
        for place in [IRHeader.size, (length - piece) / 2, length - piece] {
            try bytes.append(piece, at: start + place, to: &found)
        }
        return found
    }

    /// Blocks are read in an order that only depends on the count, so that partial fingerprints can be compared too.
    /// - Parameter limit: the records that an earlier fingerprint covers; nil: as many as can be read in reasonable
    ///   time.
    private func headersPart(_ classes: Int, atMost limit: Int?, skipsBad: Bool) throws -> DataFingerprint.Part {
        let blocks = (count + Self.block - 1) / Self.block
        var random = Random(seed: 1, purpose: .fingerprint)
        let order = random.permutation(blocks).map(Int.init)
        let start = ContinuousClock.now
        var covered = 0, hash = SHA256(), wrong = WrongLabels()
        for first in stride(from: 0, to: blocks, by: Self.round) {
            if let limit {
                if covered >= limit { break }
            } else if ContinuousClock.now - start > .seconds(Self.patience) {
                break
            }
            let round = order[first..<min(blocks, first + Self.round)]
            let results = try parallelMap(round.count, threads: Self.threads) { index in
                try headers(of: Array(numbers(ofBlock: round[first + index])), classes, skipsBad: skipsBad)
            }
            for (block, result) in zip(round, results) {
                covered += numbers(ofBlock: block).count
                wrong.add(result.labels)
                Array(result.hash.utf8).withUnsafeBytes { hash.update($0) }
            }
        }
        try wrong.check(of: covered)
        return .init(count: covered, hash: hash.finish())
    }

    private func numbers(ofBlock block: Int) -> Range<Int> {
        (block * Self.block)..<min(count, (block + 1) * Self.block)
    }

    private func headers(of numbers: [Int], _ classes: Int, skipsBad: Bool) throws -> (
        hash: String, labels: WrongLabels
    ) {
        var hash = SHA256(), bytes: [UInt8] = [], wrong = WrongLabels()
        for number in numbers {
            var end: Int?
            do {
                end = try readStart(of: number, into: &bytes)
            } catch is AnnealError {
                // The loader reports why when it reads the record; then `--on-bad-record` applies.
                bytes = Array("unreadable".utf8)
            }
            if indexIsComplete, !skipsBad, let end { try IndexCheck.checkNoGap(after: number, end: end, in: self) }
            bytes.prefix(Self.hashed).withUnsafeBytes { hash.update($0) }
            var imageStart = 0
            guard let header = try? IRHeader(bytes, imageStart: &imageStart) else { continue }
            if !skipsBad, bytes.count == imageStart {
                throw AnnealError(
                    place(of: number, id: header.id), "has a label but no image",
                    suggestion: "pack its image, or leave such records out: --on-bad-record skip", code: .damaged)
            }
            do {
                try ClassLabel.check(header.labels, classes: classes)
            } catch let error as AnnealError {
                let placed = error.within(place(of: number, id: header.id))
                guard skipsBad else { throw placed }
                wrong.add(.init(count: 1, first: placed))
            }
        }
        return (hash.finish(), wrong)
    }

    /// The first bytes of a record's payload: its header, a few labels, and whether an image follows. One read if the
    /// record is intact.
    /// - Returns: the end of an intact record in the file; nil for one in parts.
    private func readStart(of number: Int, into payload: inout [UInt8]) throws -> Int? {
        let wanted = Self.hashed + 1, offset = entries[number].offset
        payload.removeAll(keepingCapacity: true)
        try bytes.append(min(RecordFraming.headerSize + wanted, bytes.size - offset), at: offset, to: &payload)
        let isWhole =
            payload.count >= RecordFraming.headerSize && payload.word32(at: 0) == RecordFraming.magic
            && payload.word32(at: 4) >> 29 == RecordFraming.Flag.whole.rawValue
        guard isWhole else {
            payload = try read(number, atMost: wanted)
            return nil
        }
        let length = Int(payload.word32(at: 4))
        payload.removeFirst(RecordFraming.headerSize)
        payload.removeLast(max(0, payload.count - length))
        return offset + RecordFraming.framed(length)
    }
}

extension ImageFiles {
    /// File names below the folder and sizes, class by class.
    public func survey(classes: Int, like earlier: DataFingerprint?, skipsBad: Bool) throws -> DataFingerprint? {
        let paths = self.paths, root = folder.bytes.count
        let sizes = try parallelMap(count, threads: LoaderOptions.defaultThreads) { number in
            var info = stat()
            return paths[number].withCString { stat($0, &info) } == 0 ? Int(info.st_size) : -1
        }
        var hashes: [Int: SHA256] = [:], counts: [Int: Int] = [:]
        for number in 0..<count {
            let label = Int(classLabel(of: number))
            let name = paths[number].bytes.dropFirst(root).drop { $0 == UInt8(ascii: "/") }
            counts[label, default: 0] += 1
            let line = Array(name) + [0] + Array("\(sizes[number]) \(label)\n".utf8)
            line.withUnsafeBytes { hashes[label, default: SHA256()].update($0) }
        }
        var parts: [String: DataFingerprint.Part] = [:]
        for (label, hash) in hashes {
            let name = classNames.indices.contains(label) ? classNames[label] : "\(label)"
            parts[name] = .init(count: counts[label] ?? 0, hash: hash.finish())
        }
        return DataFingerprint(kind: .folder, count: count, bytes: sizes.reduce(0) { $0 + max(0, $1) }, parts: parts)
    }
}
