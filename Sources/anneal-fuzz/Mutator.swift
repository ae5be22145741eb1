import AnnealCore

/// Damages a seed, as a pure function of (seed of the run, target, number of the input).
struct Mutator {
    let target: FuzzTarget
    let seeds: [[UInt8]]
    let runSeed: UInt64

    static let maximumSize = 1 << 20

    /// Inputs 0 ..< seeds.count are the unchanged seeds: a target must accept them.
    func input(_ number: Int) -> [UInt8] {
        guard number >= seeds.count else { return seeds[number] }
        var random = Random(seed: runSeed, purpose: .test, name: "\(target.name) \(number)")
        var bytes = seeds[random.below(seeds.count)]
        // Mostly a single mutation: with many, readers stop at the first.
        let wounds = 1 + (random.bool() ? 0 : random.below(6))
        for _ in 0..<wounds {
            if target.isText && random.uniform() < 0.7 {
                bytes = TextMutator(words: target.words).mutated(bytes, &random)
            } else {
                mutate(&bytes, &random)
            }
            if bytes.count > Mutator.maximumSize { bytes.removeLast(bytes.count - Mutator.maximumSize) }
        }
        if let suggestion = target.suggestion, random.bool() { suggestion(&bytes) }
        return bytes
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout Random) {
        guard !bytes.isEmpty else {
            bytes = (0..<random.below(64)).map { _ in UInt8(random.below(256)) }
            return
        }
        let at = Mutator.place(in: bytes.count, &random)
        switch random.below(8) {
        case 0: bytes[at] ^= 1 << UInt8(random.below(8))
        case 1: bytes[at] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0x20, 0x22][random.below(8)]
        case 2, 3: overwrite(&bytes, at, &random)
        case 4: bytes.removeLast(bytes.count - at)
        case 5: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(32)))
        case 6:
            let piece = bytes[at..<min(bytes.count, at + 1 + random.below(256))]
            for _ in 0..<(1 + random.below(4)) { bytes.insert(contentsOf: piece, at: at) }
        default:
            let other = seeds[random.below(seeds.count)]
            guard !other.isEmpty else { return }
            bytes.replaceSubrange(at..., with: other[random.below(other.count)...])
        }
    }

    /// Half of the positions are near the beginning, where headers are.
    private static func place(in count: Int, _ random: inout Random) -> Int {
        random.bool() ? random.below(min(count, 64)) : random.below(count)
    }

    /// Writes a number for which lengths and their sums and products overflow.
    private func overwrite(_ bytes: inout [UInt8], _ at: Int, _ random: inout Random) {
        let small = UInt64(random.below(300))
        let values: [UInt64] = [
            0, 1, small, UInt64(bytes.count), 0x7FFF, 0xFFFF, 0x1FFF_FFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
            1 << 32, 1 << 40, 1 << 61, 1 << 62, UInt64(Int64.max), 1 << 63, .max, .max - small,
        ]
        let value = values[random.below(values.count)]
        let width = [2, 4, 8][random.below(3)]
        let bigEndian = random.uniform() < 0.3
        for index in 0..<width where at + index < bytes.count {
            let shift = UInt64(8 * (bigEndian ? width - 1 - index : index))
            bytes[at + index] = UInt8(truncatingIfNeeded: value >> shift)
        }
    }
}
