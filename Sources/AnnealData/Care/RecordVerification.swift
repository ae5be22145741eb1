import AnnealCore

/// Everything that a record file's framing, headers, images and checksums can show to be wrong.
public struct RecordVerification: Sendable {
    public struct Options: Sendable {
        public var threads = LoaderOptions.defaultThreads
        /// Decode the images; else only framing, headers and checksums are looked at.
        public var decodes = true
        public var maximumPixels = Image.maximumPixels
        /// What the records were when it was made.
        public var manifest: RecordManifest?
        /// Of classes; nil if that is not known: then any whole number from 0 is a label.
        public var classes: Int?

        public init() {}
    }

    public let salvage: RecordSalvage
    /// Records that cannot be used, by their number in `salvage.file`.
    public private(set) var bad: [BadRecord] = []
    /// Records of the manifest that are gone.
    public private(set) var missing: [RecordManifest.Line] = []

    public var isWhole: Bool {
        bad.isEmpty && salvage.damages.isEmpty && salvage.indexProblems.isEmpty && missing.isEmpty
    }

    /// - Parameter progress: called with the number of records done.
    public init(_ salvage: RecordSalvage, _ options: Options, progress: (Int) -> Void = { _ in }) throws {
        self.salvage = salvage
        let file = salvage.file
        let expected = Dictionary(
            (options.manifest?.lines ?? []).map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
        // Records as im2rec packs them have their keys as ids; then an id that differs is damaged.
        let keysAreIDs = file.indexPath != nil && Self.keysAreIDs(file)
        for start in stride(from: 0, to: file.count, by: 1024) {
            bad += try parallelMap(min(1024, file.count - start), threads: options.threads) { index in
                Self.problem(
                    of: start + index, in: file, options, expected: options.manifest == nil ? nil : expected,
                    keysAreIDs: keysAreIDs)
            }.compactMap { $0 }
            progress(min(file.count, start + 1024))
        }
        let there = Set(file.entries.map(\.offset))
        missing = (options.manifest?.lines ?? []).filter { !there.contains($0.offset) }
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

    private static func problem(
        of number: Int, in file: RecordFile, _ options: Options, expected: [Int: RecordManifest.Line]?, keysAreIDs: Bool
    ) -> BadRecord? {
        let entry = file.entries[number]
        var id: UInt64?
        func bad(_ error: AnnealError) -> BadRecord {
            BadRecord(number: number, id: id, offset: entry.offset, reason: file.placed(error, number, id: id))
        }
        do {
            let payload = try file.read(number)
            var imageStart = 0
            let header = try IRHeader(payload, imageStart: &imageStart)
            id = header.id
            if let expected {
                guard let line = expected[entry.offset] else {
                    throw AnnealError("", "is not in the manifest", code: .mismatch)
                }
                guard line.size == payload.count, line.sha256 == SHA256.digits(of: payload) else {
                    throw AnnealError("", "is not what it was when the manifest was made", code: .damaged)
                }
            }
            try file.checkPadding(of: number)
            if keysAreIDs, header.id != UInt64(bitPattern: Int64(entry.key)) {
                throw AnnealError("", "has the id \(header.id), and the index the key \(entry.key)", code: .damaged)
            }
            try check(header.labels, options.classes)
            guard options.decodes else { return nil }
            _ = try ImageDecoder(maximumPixels: options.maximumPixels).decode(payload, from: imageStart)
            return nil
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
            throw AnnealError("", "its label \(label) is not the number of a class", code: .mismatch)
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
