import AnnealCore

/// All errors that a record file's framing, headers, images and checksums can reveal.
public struct RecordVerification: Sendable {
    /// How records are verified.
    public struct Options: Sendable {
        public var threads = LoaderOptions.defaultThreads
        /// Decodes the images; otherwise only framing, headers and checksums are checked.
        public var decodes = true
        public var maximumPixels = Image.maximumPixels
        /// Hashes of the records at an earlier time.
        public var manifest: RecordManifest?
        /// The number of classes; if nil, any whole number from 0 is a valid label.
        public var classes: Int?

        public init() {}
    }

    public let salvage: RecordSalvage
    /// Unusable records, by their number in `salvage.file`.
    public private(set) var bad: [BadRecord] = []
    /// Records of the manifest that are missing. Records that have moved, because bytes before them are missing, are
    /// not among them.
    public private(set) var missing: [RecordManifest.Line] = []

    public var isWhole: Bool {
        bad.isEmpty && salvage.damages.isEmpty && salvage.indexProblems.isEmpty && missing.isEmpty
    }

    /// - Parameter progress: called with the number of records done.
    public init(_ salvage: RecordSalvage, _ options: Options, progress: (Int) -> Void = { _ in }) throws {
        self.salvage = salvage
        let file = salvage.file
        let expected = options.manifest.map(Expected.init)
        // Records packed by im2rec have their keys as ids; then a different id is damage.
        let keysAreIDs = file.indexPath != nil && Self.keysAreIDs(file)
        // Where the manifest has records that have moved.
        var moved = Set<Int>()
        for start in stride(from: 0, to: file.count, by: 1024) {
            let found = try parallelMap(min(1024, file.count - start), threads: options.threads) { index in
                Self.look(at: start + index, in: file, options, expected, keysAreIDs: keysAreIDs)
            }
            bad += found.compactMap { $0.bad }
            moved.formUnion(found.compactMap { $0.movedFrom })
            progress(min(file.count, start + 1024))
        }
        let there = Set(file.entries.map(\.offset)).union(moved)
        missing = (options.manifest?.lines ?? []).filter { !there.contains($0.offset) }
    }

    /// A manifest's lines by offset and by content.
    private struct Expected: Sendable {
        let byOffset: [Int: RecordManifest.Line]
        let bySum: [String: RecordManifest.Line]

        init(_ manifest: RecordManifest) {
            byOffset = Dictionary(manifest.lines.map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
            bySum = Dictionary(manifest.lines.map { ($0.sha256, $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    private static func keysAreIDs(_ file: RecordFile) -> Bool {
        let looked = min(file.count, 100)
        let same = (0..<looked).count { index in
            let number = index * file.count / looked
            guard let header = try? file.read(number, atMost: IRHeader.size), header.count == IRHeader.size else {
                return false
            }
            return header.word64(at: 8) == UInt64(bitPattern: Int64(file.entries[number].key))
        }
        return looked > 0 && same * 10 > looked * 9
    }

    private static func look(
        at number: Int, in file: RecordFile, _ options: Options, _ expected: Expected?, keysAreIDs: Bool
    ) -> (bad: BadRecord?, movedFrom: Int?) {
        let entry = file.entries[number]
        var id: UInt64?, movedFrom: Int?
        func bad(_ error: AnnealError) -> (BadRecord?, Int?) {
            let reason = file.placed(error, number, id: id)
            return (BadRecord(number: number, id: id, offset: entry.offset, reason: reason), movedFrom)
        }
        do {
            let payload = try file.read(number)
            var imageStart = 0
            let header = try IRHeader(payload, imageStart: &imageStart)
            id = header.id
            if let expected {
                let sum = SHA256.digits(of: payload), line = expected.byOffset[entry.offset]
                if line?.sha256 != sum {
                    guard let earlier = expected.bySum[sum] else {
                        throw line == nil
                            ? AnnealError("", "is not in the manifest", code: .mismatch)
                            : AnnealError("", "has changed since the manifest was written", code: .damaged)
                    }
                    movedFrom = earlier.offset
                }
            }
            try file.checkPadding(of: number)
            if keysAreIDs, header.id != UInt64(bitPattern: Int64(entry.key)) {
                throw AnnealError("", "has the id \(header.id), but the index has the key \(entry.key)", code: .damaged)
            }
            try check(header.labels, options.classes)
            if options.decodes {
                _ = try ImageDecoder(maximumPixels: options.maximumPixels).decode(payload, from: imageStart)
            }
            return (nil, movedFrom)
        } catch let error as AnnealError {
            return bad(error)
        } catch {
            return bad(AnnealError("", "\(error)"))
        }
    }

    private static func check(_ labels: [Float], _ classes: Int?) throws {
        guard labels.count == 1, let label = labels.first else { return }
        if let classes { return try ClassLabel.check(labels, classes: classes) }
        guard label.isFinite, label >= 0, label == label.rounded(), label <= 0x1p24 else {
            throw AnnealError("", "its label \(label) is not a class number", code: .mismatch)
        }
    }
}

extension RecordFile {
    /// - Throws: `AnnealError` unless the bytes after each part, up to a multiple of 4, are zeros.
    func checkPadding(of number: Int) throws {
        var offset = entries[number].offset
        for part in try parts(of: number) {
            let end = offset + RecordFraming.headerSize + part.length
            offset += RecordFraming.framed(part.length)
            var padding: [UInt8] = []
            try bytes.append(offset - end, at: end, to: &padding)
            guard padding.allSatisfy({ $0 == 0 }) else {
                throw AnnealError(
                    "", "the bytes after its \(part.length) are not zeros: its length is damaged", code: .damaged)
            }
        }
    }
}
