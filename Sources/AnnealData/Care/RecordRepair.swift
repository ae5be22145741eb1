import AnnealCore
import Foundation

extension RecordVerification {
    /// The result of a repair.
    public struct Repair: Sendable, Equatable {
        public var kept = 0
        /// Records and pieces of records in the quarantine.
        public var quarantined = 0
        /// Bytes of the source that were not part of any record.
        public var lostBytes = 0
    }

    /// Writes the good records to another file, with their keys and an index, and the rest, with the reasons, to a
    /// quarantine.
    /// - Parameters:
    ///   - target: `OUT.rec`; its index is `OUT.idx`.
    ///   - quarantine: a record file with what was left out, in file order; `QUARANTINE.txt` lists the reasons. If nil,
    ///     it is discarded.
    /// - Throws: `AnnealError` when a file cannot be written, or the target is the source.
    public func repair(to target: String, quarantine: String?, progress: (Int) -> Void = { _ in }) throws -> Repair {
        let file = salvage.file
        try RecordFile.checkTargets([target] + (quarantine.map { [$0] } ?? []), sources: [file.path])
        let isBad = Set(bad.map(\.number))
        let writer = try RecordWriter(target, index: RecordFile.indexPath(of: target))
        var result = Repair(), payload: [UInt8] = []
        for number in 0..<file.count where !isBad.contains(number) {
            try file.read(number, into: &payload)
            try writer.write(payload, key: file.entries[number].key)
            result.kept += 1
            progress(number + 1)
        }
        if let quarantine, !isBad.isEmpty || !salvage.damages.isEmpty {
            result = try writeQuarantine(quarantine, result)
        } else {
            result.quarantined = isBad.count + salvage.damages.count
        }
        result.lostBytes = salvage.damages.reduce(0) { $0 + $1.bytes.count }
        try writer.finish()
        return result
    }

    private func writeQuarantine(_ path: String, _ repair: Repair) throws -> Repair {
        var pieces: [(offset: Int, reason: String, payload: () throws -> [UInt8])] = bad.map { record in
            (record.offset, record.reason.problem, { try salvage.file.read(record.number) })
        }
        for damage in salvage.damages {
            // A record holds less than 2^29 bytes.
            for start in stride(from: damage.bytes.lowerBound, to: damage.bytes.upperBound, by: 1 << 28) {
                let end = min(damage.bytes.upperBound, start + 1 << 28)
                pieces.append(
                    (
                        start, damage.problem,
                        {
                            var bytes: [UInt8] = []
                            try salvage.file.bytes.append(end - start, at: start, to: &bytes)
                            return bytes
                        }
                    ))
            }
        }
        pieces.sort { $0.offset < $1.offset }
        let writer = try RecordWriter(path, index: nil)
        var lines = "# of \(salvage.file.path): number here, byte there, reason\n"
        for (number, piece) in pieces.enumerated() {
            try writer.write(try piece.payload())
            lines += "\(number)\t\(piece.offset)\t\(piece.reason)\n"
        }
        try Files.writeAtomically(Data(lines.utf8), to: "\(path).txt")
        try writer.finish()
        var repair = repair
        repair.quarantined = pieces.count
        return repair
    }
}
