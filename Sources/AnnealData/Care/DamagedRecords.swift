import AnnealCore

extension RecordFile {
    /// As `init(_:index:)`. If the file's framing is damaged, so that records cannot be found one after another, and
    /// bad records are to be skipped, the undamaged records are used.
    ///
    /// - Returns: the file, and what was wrong with it, if anything. Damage inside records is noticed when they are
    ///   read.
    /// - Throws: as `init(_:index:)`, and for a file without an undamaged record.
    public static func opened(
        _ path: String, index: String? = nil, onBadRecord policy: BadRecordPolicy
    ) throws -> (file: RecordFile, damage: AnnealError?) {
        do {
            return (try RecordFile(path, index: index), nil)
        } catch let error as AnnealError where policy == .skip && [.damaged, .mismatch].contains(error.code) {
            let salvage = try RecordSalvage(path, index: index)
            let file = try index.map { try salvage.file.restricted(to: $0) } ?? salvage.file
            // If nothing is damaged, the index belongs to another file.
            guard file.count > 0, !salvage.damages.isEmpty else { throw error }
            return (file, Self.damage(of: salvage, in: file))
        }
    }

    /// The records that an index names: by their offsets or, if they have moved, by their ids, which are the keys of
    /// `im2rec`.
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
        let used = "the \(file.count.counted("record")) that are intact are used"
        return AnnealError(
            file.path,
            "is damaged at \(places), the first is byte \(first): \(used)"
                + (left > 0 ? ", without \(left) that \(file.indexPath ?? "the index") does not name" : ""),
            suggestion: "anneal rec verify names the places, anneal rec repair extracts the good records",
            code: .damaged)
    }
}
