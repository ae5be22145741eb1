import AnnealCore

extension RecordFile {
    /// As `init(_:index:)`. Of a file whose framing is damaged, so that records can no longer be found one after the other,
    /// the records that are whole are taken, if bad ones are to be skipped.
    ///
    /// - Returns: the file, and what was wrong with it, if anything was. Damage inside of records is seen when they are read.
    /// - Throws: as `init(_:index:)`, and for a file without a whole record.
    public static func opened(
        _ path: String, index: String? = nil, onBadRecord policy: BadRecordPolicy
    ) throws -> (file: RecordFile, damage: AnnealError?) {
        do {
            return (try RecordFile(path, index: index), nil)
        } catch let error as AnnealError where policy == .skip && [.damaged, .mismatch].contains(error.code) {
            let salvage = try RecordSalvage(path, index: index)
            let file = try index.map { try salvage.file.restricted(to: $0) } ?? salvage.file
            // Where nothing is damaged, the index is of another file.
            guard file.count > 0, !salvage.damages.isEmpty else { throw error }
            return (file, Self.damage(of: salvage, in: file))
        }
    }

    /// The records that an index names: by their places, or, where they no longer stand there, by their ids, which are the
    /// keys of `im2rec`.
    private func restricted(to index: String) throws -> RecordFile {
        let keys = Dictionary(
            try RecordIndex.read(index).map { ($0.offset, $0.key) }, uniquingKeysWith: { first, _ in first })
        let all = Set(keys.values)
        let named = entries.enumerated().compactMap { number, entry -> Entry? in
            let key = keys[entry.offset] ?? (try? id(of: number)).map { Int(truncatingIfNeeded: $0) }
            return key.flatMap { all.contains($0) ? Entry(key: $0, offset: entry.offset) : nil }
        }
        return RecordFile(path, bytes: bytes, entries: named, indexPath: index)
    }

    private static func damage(of salvage: RecordSalvage, in file: RecordFile) -> AnnealError {
        let places = salvage.damages.count.counted("place"), first = salvage.damages.first?.bytes.lowerBound ?? 0
        let left = salvage.file.count - file.count
        let used = "the \(file.count.counted("record")) that are whole are used"
        return AnnealError(
            file.path,
            "is damaged at \(places), the first is byte \(first): \(used)"
                + (left > 0 ? ", without \(left) that \(file.indexPath ?? "the index") does not name" : ""),
            suggestion: "anneal rec verify names the places, anneal rec repair takes the good records out",
            code: .damaged)
    }
}
