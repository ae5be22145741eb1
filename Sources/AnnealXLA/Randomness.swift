import AnnealCore

extension Operands {
    /// The layer's uniform random numbers in this step, in MXNet's order, the same as on every engine. A Philox counter
    /// for each sample, group of four channels and position gives the four channels' words.
    func uniform(_ shape: Shape) -> HLOValue {
        var hash: UInt32 = 0x811c_9dc5
        for byte in instruction.layer.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        let channels = shape.rank >= 2 ? shape[1] : shape.count, samples = shape.rank >= 2 ? shape[0] : 1
        let positions = shape.dims.dropFirst(2).reduce(1, *), groups = (channels + 3) / 4
        // The counters in order are (samples, groups, positions).
        let places = function.iota([samples * groups * positions], axis: 0, .ui32)
        // Numbers that are drawn a second time must not be kept from the first.
        let random = shielded(writer.argument(.random, [4], .ui32))
        func word(_ index: Int) -> HLOValue {
            random.sliced(axis: 0, from: index, to: index + 1).reshaped([]).broadcast(to: places.dims)
        }
        // Samples are numbered over all shards.
        let counters = places + word(3) * Double(groups * positions)
        let words = Self.philox(
            (
                counters, counters.like(Double(hash)), word(2), counters.like(Double(Random.Purpose.dropout.rawValue))
            ), (word(0), word(1)))
        let uniform = [words.0, words.1, words.2, words.3].map { word in
            ((word >> 8).converted(to: .f32) * 0x1p-24).reshaped([samples, groups, 1, positions])
        }
        return HLOValue.concatenated(uniform, axis: 2).reshaped([samples, groups * 4, positions])
            .sliced(axis: 1, from: 0, to: channels).reshaped(shape.dims)
    }

    private typealias Words = (HLOValue, HLOValue, HLOValue, HLOValue)

    /// `Random.philox` on arrays of ui32.
    private static func philox(_ counter: Words, _ key: (HLOValue, HLOValue)) -> Words {
        func product(_ a: HLOValue, _ constant: UInt32) -> (high: HLOValue, low: HLOValue) {
            let wide = a.converted(to: .ui64)
            let result = wide * wide.like(Double(constant))
            return ((result >> 32).converted(to: .ui32), result.converted(to: .ui32))
        }
        var c = counter, k = key
        for _ in 0..<10 {
            let p0 = product(c.0, 0xD251_1F53), p1 = product(c.2, 0xCD9E_8D57)
            c = (p1.high ^ c.1 ^ k.0, p1.low, p0.high ^ c.3 ^ k.1, p0.low)
            k.0 = k.0 + k.0.like(Double(0x9E37_79B9 as UInt32))
            k.1 = k.1 + k.1.like(Double(0xBB67_AE85 as UInt32))
        }
        return c
    }
}
