/// How MXNet's RecordIO frames records (dmlc-core, `recordio.h`): little-endian words
/// `magic, flag << 29 | length`, the payload, zeros up to a multiple of 4.
///
/// A payload that contains the magic at a multiple of 4 is split there into parts; the magic is dropped and restored
/// between the parts on reading, so a reader that has lost its position finds the next record by the magic.
enum RecordFraming {
    static let magic: UInt32 = 0xCED7_230A
    static let headerSize = 8
    /// 29 bits hold a part's length.
    static let maximumLength = (1 << 29) - 1

    enum Flag: UInt32 {
        case whole = 0
        case first = 1
        case middle = 2
        case last = 3
    }

    /// The bytes of a part in the file, with header and padding.
    static func framed(_ length: Int) -> Int { headerSize + ((length + 3) & ~3) }
}

/// One part of a record as stored in the file.
public struct RecordPart: Sendable, Equatable {
    /// 0 a whole record, 1 the first part, 2 a middle one, 3 the last.
    public var flag: Int
    /// The payload's bytes, without padding.
    public var length: Int

    public init(flag: Int, length: Int) {
        self.flag = flag
        self.length = length
    }
}
