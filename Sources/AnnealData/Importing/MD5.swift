import AnnealCore
import Foundation

/// MD5 (RFC 1321), which data sets are published with; it detects damage, not tampering.
struct MD5 {
    private var state: (UInt32, UInt32, UInt32, UInt32) = (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476)
    private var pending: [UInt8] = []
    private var length: UInt64 = 0

    init() {}

    /// The hash of a whole file as 32 hexadecimal digits.
    static func digits(ofFile path: String) throws -> String {
        let file = try FileBytes(path)
        var hash = MD5(), buffer: [UInt8] = []
        for start in stride(from: 0, to: file.size, by: 1 << 20) {
            buffer.removeAll(keepingCapacity: true)
            try file.append(min(1 << 20, file.size - start), at: start, to: &buffer)
            hash.update(buffer)
        }
        return hash.finish()
    }

    mutating func update(_ bytes: [UInt8]) {
        length &+= UInt64(bytes.count)
        pending += bytes
        let whole = pending.count / 64 * 64
        pending.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: whole, by: 64) { compress(bytes, start) }
        }
        pending.removeFirst(whole)
    }

    mutating func finish() -> String {
        let bits = length &* 8
        var padding: [UInt8] = [0x80]
        while (pending.count + padding.count) % 64 != 56 { padding.append(0) }
        padding.append(littleEndian: bits)
        update(padding)
        var bytes: [UInt8] = []
        for word in [state.0, state.1, state.2, state.3] { bytes.append(littleEndian: word) }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static let shifts: [[UInt32]] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]]
    /// floor(2^32 |sin(i + 1)|), i in radians.
    private static let sines = (1...64).map { UInt32((abs(sin(Double($0))) * 0x1p32).rounded(.down)) }

    private mutating func compress(_ bytes: UnsafeRawBufferPointer, _ start: Int) {
        let words = (0..<16).map {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 4 * $0, as: UInt32.self))
        }
        var (a, b, c, d) = state
        for i in 0..<64 {
            let mixed: UInt32, word: Int
            switch i / 16 {
            case 0: (mixed, word) = (b & c | ~b & d, i)
            case 1: (mixed, word) = (d & b | ~d & c, (5 * i + 1) % 16)
            case 2: (mixed, word) = (b ^ c ^ d, (3 * i + 5) % 16)
            default: (mixed, word) = (c ^ (b | ~d), 7 * i % 16)
            }
            let sum = a &+ mixed &+ Self.sines[i] &+ words[word], shift = Self.shifts[i / 16][i % 4]
            (a, d, c, b) = (d, c, b, b &+ (sum &<< shift | sum &>> (32 - shift)))
        }
        state = (state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d)
    }
}
