/// SHA-256 (FIPS 180-4), computed incrementally.
public struct SHA256 {
    private var hash = initialHash
    private var words = [UInt32](repeating: 0, count: 64)
    private var pending: [UInt8] = []
    private var length: UInt64 = 0

    public init() {}

    /// The hash of the given data as hexadecimal digits.
    public static func digits(of bytes: some Sequence<UInt8>) -> String {
        var hash = SHA256()
        Array(bytes).withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var rest = bytes[...]
        if !pending.isEmpty {
            let taken = rest.prefix(64 - pending.count)
            pending.append(contentsOf: taken)
            rest = rest.dropFirst(taken.count)
            guard pending.count == 64 else { return }
            let block = pending
            block.withUnsafeBytes { compress($0) }
            pending.removeAll(keepingCapacity: true)
        }
        while rest.count >= 64 {
            compress(UnsafeRawBufferPointer(rebasing: rest.prefix(64)))
            rest = rest.dropFirst(64)
        }
        pending.append(contentsOf: rest)
    }

    /// The hash of everything so far as 64 hexadecimal digits.
    public func finish() -> String {
        var last = self
        var filling: [UInt8] = [0x80]
        while (pending.count + filling.count) % 64 != 56 { filling.append(0) }
        let bits = length &* 8
        for shift in stride(from: 56, through: 0, by: -8) { filling.append(UInt8(truncatingIfNeeded: bits >> shift)) }
        filling.withUnsafeBytes { last.update($0) }
        return last.hash.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }

    private mutating func compress(_ block: UnsafeRawBufferPointer) {
        func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word &>> count | word &<< (32 &- count) }
        for i in 0..<16 {
            words[i] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self))
        }
        for i in 16..<64 {
            let a = words[i - 15], b = words[i - 2]
            let small = rotate(a, 7) ^ rotate(a, 18) ^ a &>> 3
            let large = rotate(b, 17) ^ rotate(b, 19) ^ b &>> 10
            words[i] = words[i - 16] &+ small &+ words[i - 7] &+ large
        }
        var (a, b, c, d) = (hash[0], hash[1], hash[2], hash[3])
        var (e, f, g, h) = (hash[4], hash[5], hash[6], hash[7])
        for i in 0..<64 {
            let sum = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
            let first = h &+ sum &+ (e & f ^ ~e & g) &+ Self.constants[i] &+ words[i]
            let other = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
            let second = other &+ (a & b ^ a & c ^ b & c)
            (h, g, f, e) = (g, f, e, d &+ first)
            (d, c, b, a) = (c, b, a, first &+ second)
        }
        for (i, word) in [a, b, c, d, e, f, g, h].enumerated() { hash[i] &+= word }
    }

    // The fractional bits of the first primes' square and cube roots.
    private static let primes = (2...311).filter { n in (2..<n).allSatisfy { n % $0 != 0 } }
    private static let initialHash = primes.prefix(8).map { fraction($0, 2) }
    private static let constants = primes.map { fraction($0, 3) }

    /// The fractional part of the root times 2^32, by bisection in 128-bit integers.
    private static func fraction(_ prime: Int, _ power: Int) -> UInt32 {
        var low: UInt128 = 0, high: UInt128 = 1 << 37
        let target = UInt128(prime) << (power == 2 ? 64 : 96)
        while high - low > 1 {
            let middle = (low + high) / 2
            let value = power == 2 ? middle * middle : middle * middle * middle
            if value <= target { low = middle } else { high = middle }
        }
        return UInt32(truncatingIfNeeded: low)
    }
}
