/// Python's `random` for a small seed: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), so that lists come
/// out in the same order as from `im2rec.py`.
struct PythonRandom {
    private static let size = 624
    private var state: [UInt32]
    private var position = PythonRandom.size

    init(seed: UInt32) {
        state = [19_650_218]
        for i in 1..<PythonRandom.size {
            let last = state[i - 1]
            state.append(1_812_433_253 &* (last ^ last >> 30) &+ UInt32(i))
        }
        // Initialisation by an array, here of the one word that Python makes from a small seed.
        var i = 1
        for _ in 0..<PythonRandom.size {
            state[i] = (state[i] ^ (state[i - 1] ^ state[i - 1] >> 30) &* 1_664_525) &+ seed
            i = advanced(i)
        }
        for _ in 0..<(PythonRandom.size - 1) {
            state[i] = (state[i] ^ (state[i - 1] ^ state[i - 1] >> 30) &* 1_566_083_941) &- UInt32(i)
            i = advanced(i)
        }
        state[0] = 0x8000_0000
    }

    private mutating func advanced(_ i: Int) -> Int {
        guard i + 1 == PythonRandom.size else { return i + 1 }
        state[0] = state[PythonRandom.size - 1]
        return 1
    }

    private mutating func nextWord() -> UInt32 {
        if position == PythonRandom.size {
            for i in 0..<PythonRandom.size {
                let mixed = state[i] & 0x8000_0000 | state[(i + 1) % PythonRandom.size] & 0x7FFF_FFFF
                let twist: UInt32 = mixed & 1 == 0 ? 0 : 0x9908_B0DF
                state[i] = state[(i + 397) % PythonRandom.size] ^ mixed >> 1 ^ twist
            }
            position = 0
        }
        var word = state[position]
        position += 1
        word ^= word >> 11
        word ^= word << 7 & 0x9D2C_5680
        word ^= word << 15 & 0xEFC6_0000
        return word ^ word >> 18
    }

    /// `randrange(count)`: as many high bits as the count has, drawn until they are below it.
    mutating func below(_ count: Int) -> Int {
        precondition(count > 0 && count <= Int(Int32.max))
        let bits = UInt32(Int.bitWidth - count.leadingZeroBitCount)
        while true {
            let value = Int(nextWord() >> (32 - bits))
            if value < count { return value }
        }
    }
}
