/// SHA-256 (FIPS 180-4) as hexadecimal digits, for the payloads' checksums in the cases.
func sha256(_ bytes: some Collection<UInt8>) -> String {
    // The fraction bits of the first primes' cube and square roots.
    var primes: [Int] = []
    var candidate = 2
    while primes.count < 64 {
        if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
        candidate += 1
    }
    func fraction(_ prime: Int, _ power: Int) -> UInt32 {
        // The root times 2^32, by bisection in whole numbers of 128 bits.
        var low: UInt128 = 0
        var high: UInt128 = 1 << 37
        let target = UInt128(prime) << (power == 2 ? 64 : 96)
        while high - low > 1 {
            let middle = (low + high) / 2
            let value = power == 2 ? middle * middle : middle * middle * middle
            if value <= target { low = middle } else { high = middle }
        }
        return UInt32(truncatingIfNeeded: low)
    }
    let constants = primes.map { fraction($0, 3) }
    var hash = primes.prefix(8).map { fraction($0, 2) }

    var message = Array(bytes)
    let length = UInt64(message.count) * 8
    message.append(0x80)
    while message.count % 64 != 56 { message.append(0) }
    for shift in stride(from: 56, through: 0, by: -8) {
        message.append(UInt8(truncatingIfNeeded: length >> UInt64(shift)))
    }

    func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }
    for block in stride(from: 0, to: message.count, by: 64) {
        var words = (0..<16).map { word in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(message[block + 4 * word + $1]) }
        }
        for i in 16..<64 {
            let a = words[i - 15]
            let b = words[i - 2]
            let small = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3
            let large = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10
            words.append(words[i - 16] &+ small &+ words[i - 7] &+ large)
        }
        var h = hash
        for i in 0..<64 {
            let sum = rotate(h[4], 6) ^ rotate(h[4], 11) ^ rotate(h[4], 25)
            let choice = h[4] & h[5] ^ ~h[4] & h[6]
            let first = h[7] &+ sum &+ choice &+ constants[i] &+ words[i]
            let other = rotate(h[0], 2) ^ rotate(h[0], 13) ^ rotate(h[0], 22)
            let majority = h[0] & h[1] ^ h[0] & h[2] ^ h[1] & h[2]
            h = [first &+ other &+ majority, h[0], h[1], h[2], h[3] &+ first, h[4], h[5], h[6]]
        }
        hash = zip(hash, h).map { $0 &+ $1 }
    }
    return hash.map { word in
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
}
