import AnnealCore

/// The header of an image record (MXNet's `IRHeader`, `mx.recordio.pack`), before the image's bytes.
///
/// Bytes, little-endian: u32 flag, f32 label, u64 id, u64 id2; with flag > 0 that many f32 labels follow.
public struct IRHeader: Sendable, Equatable {
    /// 0: one scalar label in the header's own field; else the number of labels after it (1 for a list of one).
    public var flag: Int
    /// At least one.
    public var labels: [Float]
    /// The image's id, e.g. its line in the `.lst` file.
    public var id: UInt64
    public var id2: UInt64

    static let size = 24

    public init(label: Float, id: UInt64, id2: UInt64 = 0) {
        flag = 0
        labels = [label]
        self.id = id
        self.id2 = id2
    }

    /// - Precondition: `labels` is not empty.
    public init(labels: [Float], id: UInt64, id2: UInt64 = 0) {
        precondition(!labels.isEmpty, "an image record has at least one label")
        flag = labels.count
        self.labels = labels
        self.id = id
        self.id2 = id2
    }

    /// Reads the header of a record's payload.
    /// - Parameter imageStart: set to where the image's bytes start.
    /// - Throws: `AnnealError` without a place when the payload is too short.
    public init(_ payload: [UInt8], imageStart: inout Int) throws {
        guard payload.count >= IRHeader.size else {
            throw AnnealError(
                "", "\(payload.count) bytes are not an image record: its header alone takes \(IRHeader.size)",
                code: .damaged)
        }
        flag = Int(payload.word32(at: 0))
        id = payload.word64(at: 8)
        id2 = payload.word64(at: 16)
        guard flag > 0 else {
            labels = [Float(bitPattern: payload.word32(at: 4))]
            imageStart = IRHeader.size
            return
        }
        guard flag <= (payload.count - IRHeader.size) / 4 else {
            throw AnnealError(
                "", "the header announces \(flag) labels, the record has \(payload.count) bytes", code: .damaged)
        }
        labels = (0..<flag).map { Float(bitPattern: payload.word32(at: IRHeader.size + 4 * $0)) }
        imageStart = IRHeader.size + 4 * flag
    }

    /// The record's payload: this header, then the image's bytes.
    public func packed(_ image: [UInt8]) -> [UInt8] {
        var payload: [UInt8] = []
        payload.reserveCapacity(IRHeader.size + 4 * flag + image.count)
        payload.append(littleEndian: UInt32(truncatingIfNeeded: flag))
        payload.append(littleEndian: flag == 0 ? (labels.first ?? 0).bitPattern : 0)
        payload.append(littleEndian: id)
        payload.append(littleEndian: id2)
        if flag > 0 { for label in labels { payload.append(littleEndian: label.bitPattern) } }
        payload.append(contentsOf: image)
        return payload
    }
}
