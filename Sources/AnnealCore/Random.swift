/// A counter-based random stream: Philox 4x32 with 10 rounds (Salmon et al. 2011, "Parallel random numbers: as easy
/// as 1, 2, 3").
///
/// A stream is a pure function of its key, so that random choices do not depend on the number of threads, devices or
/// hosts, nor on what was drawn before: `Random(seed: 1, purpose: .augment, epoch: 3, index: sample)`.
public struct Random: RandomNumberGenerator, Sendable {
    /// The purpose of a stream. Streams with different purposes never overlap. The raw values are part of the promise
    /// of equal bits between versions: never renumber them.
    public enum Purpose: UInt32, Sendable {
        case initialize = 1
        case shuffle = 2
        case augment = 3
        case dropout = 4
        case mix = 5
        /// Noise that an optimizer adds to the weights.
        case noise = 6
        /// Whether an image is mirrored in its first epoch when mirroring alternates from epoch to epoch.
        case mirror = 7
        /// Which images are held out for validation.
        case split = 8
        /// Which records a data fingerprint samples.
        case fingerprint = 9
        case test = 99
    }

    private let key: (UInt32, UInt32)
    private let purpose: UInt32
    private let epoch: UInt32
    private let index: UInt32
    private var block: UInt32 = 0
    private var buffer: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    private var used = 4

    /// - Parameters:
    ///   - epoch: the epoch, or the step, that the choice belongs to.
    ///   - index: the sample, or the parameter, that the choice belongs to.
    public init(seed: UInt64, purpose: Purpose, epoch: Int = 0, index: Int = 0) {
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        self.purpose = purpose.rawValue
        self.epoch = UInt32(truncatingIfNeeded: epoch)
        self.index = UInt32(truncatingIfNeeded: index)
    }

    /// A stream keyed by a name, e.g. a parameter's (FNV-1a of its UTF-8 as index).
    public init(seed: UInt64, purpose: Purpose, name: String) {
        var hash: UInt32 = 0x811c_9dc5
        for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        self.init(seed: seed, purpose: purpose, index: Int(hash))
    }

    /// The stream's next 32 random bits.
    public mutating func nextWord() -> UInt32 {
        if used == 4 {
            buffer = Random.philox((block, index, epoch, purpose), key)
            block &+= 1
            used = 0
        }
        defer { used += 1 }
        switch used {
        case 0: return buffer.0
        case 1: return buffer.1
        case 2: return buffer.2
        default: return buffer.3
        }
    }

    public mutating func next() -> UInt64 {
        let low = nextWord()
        return UInt64(low) | UInt64(nextWord()) << 32
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    public mutating func uniform() -> Float { Float(nextWord() >> 8) * 0x1p-24 }

    /// Uniform in [low, high).
    public mutating func uniform(_ low: Float, _ high: Float) -> Float { low + (high - low) * uniform() }

    /// Uniform in 0 ..< count, by multiplication and rejection (Lemire 2019).
    public mutating func below(_ count: Int) -> Int {
        precondition(count > 0 && count <= Int(UInt32.max))
        let n = UInt32(count)
        var product = UInt64(nextWord()) * UInt64(n)
        if UInt32(truncatingIfNeeded: product) < n {
            let threshold = (0 &- n) % n
            while UInt32(truncatingIfNeeded: product) < threshold { product = UInt64(nextWord()) * UInt64(n) }
        }
        return Int(product >> 32)
    }

    /// True with the given probability.
    public mutating func bool(probability: Float = 0.5) -> Bool { uniform() < probability }

    /// The four random words for one counter of an operator's stream, as kernels draw them.
    package static func philox(
        counter: UInt32, stream: UInt32, step: UInt32, purpose: Purpose, seed: UInt64
    ) -> [UInt32] {
        let words = philox(
            (counter, stream, step, purpose.rawValue),
            (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
        return [words.0, words.1, words.2, words.3]
    }

    private static func philox(
        _ counter: (UInt32, UInt32, UInt32, UInt32), _ key: (UInt32, UInt32)
    ) -> (UInt32, UInt32, UInt32, UInt32) {
        var c = counter
        var k = key
        for _ in 0..<10 {
            let p0 = UInt64(0xD251_1F53) * UInt64(c.0)
            let p1 = UInt64(0xCD9E_8D57) * UInt64(c.2)
            c = (
                UInt32(p1 >> 32) ^ c.1 ^ k.0, UInt32(truncatingIfNeeded: p1),
                UInt32(p0 >> 32) ^ c.3 ^ k.1, UInt32(truncatingIfNeeded: p0)
            )
            k.0 = k.0 &+ 0x9E37_79B9
            k.1 = k.1 &+ 0xBB67_AE85
        }
        return c
    }
}
