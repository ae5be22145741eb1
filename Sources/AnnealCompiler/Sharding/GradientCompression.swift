/// How gradients are compressed when processes exchange them.
public enum GradientCompression: Sendable, Equatable {
    /// Not at all.
    case none
    /// Sums are rounded to bfloat16 in both directions: half the bytes. The result depends on the number of processes.
    case bfloat16
    /// MXNet's 2-bit compression: for each element of a shard's gradient, +threshold, -threshold or zero is sent; the
    /// rest stays in the shard's residual for later steps. The result does not depend on the number of processes.
    case twoBit(threshold: Float)

    var format: WireFormat {
        switch self {
        case .none: .float32
        case .bfloat16: .bfloat16
        case .twoBit: .counts
        }
    }

    /// MXNet's formula, elementwise: r += g; r >= t: +1, r -= t; r <= -t: -1, r += t; else 0.
    ///
    /// - Parameters:
    ///   - gradient: becomes 1, -1 or 0, in units of the threshold.
    ///   - residual: what has not been sent yet.
    package static func quantize(
        _ gradient: UnsafeMutablePointer<Float>, _ residual: UnsafeMutablePointer<Float>, _ count: Int,
        threshold: Float
    ) {
        for i in 0..<count {
            let sum = residual[i] + gradient[i]
            let sign: Float = sum >= threshold ? 1 : sum <= -threshold ? -1 : 0
            gradient[i] = sign
            residual[i] = sum - sign * threshold
        }
    }
}

/// How the elements of a sum are encoded in a message.
package enum WireFormat {
    case float32, bfloat16
    /// Small integers: 1, -1 and 0 in two bits each, as in MXNet; sums of them in one or two bytes.
    case counts

    /// - Parameter shards: the number of shards in the sum.
    package func bytes(_ count: Int, shards: Int) -> Int {
        switch self {
        case .float32: 4 * count
        case .bfloat16: 2 * count
        case .counts: shards == 1 ? 4 * ((count + 15) / 16) : shards <= 127 ? count : 2 * count
        }
    }

    package func encode(
        _ source: UnsafePointer<Float>, _ count: Int, shards: Int, to target: UnsafeMutableRawPointer
    ) {
        switch self {
        case .float32: target.copyMemory(from: source, byteCount: 4 * count)
        case .bfloat16:
            let halves = target.assumingMemoryBound(to: UInt16.self)
            for i in 0..<count { halves[i] = Self.rounded(source[i]) }
        case .counts where shards == 1:
            let bytes = target.assumingMemoryBound(to: UInt8.self)
            for byte in 0..<self.bytes(count, shards: 1) {
                var code: UInt8 = 0
                for place in 0..<4 where 4 * byte + place < count {
                    let value = source[4 * byte + place]
                    // The first value is in the highest bits.
                    code |= (value > 0 ? 3 : value < 0 ? 2 : 0) << UInt8(6 - 2 * place)
                }
                bytes[byte] = code
            }
        case .counts where shards <= 127:
            let bytes = target.assumingMemoryBound(to: Int8.self)
            for i in 0..<count { bytes[i] = Int8(truncatingIfNeeded: Int32(source[i])) }
        case .counts:
            let halves = target.assumingMemoryBound(to: Int16.self)
            for i in 0..<count { halves[i] = Int16(truncatingIfNeeded: Int32(source[i])) }
        }
    }

    package func decode(
        _ source: UnsafeRawPointer, _ count: Int, shards: Int, to target: UnsafeMutablePointer<Float>
    ) {
        switch self {
        case .float32: target.update(from: source.assumingMemoryBound(to: Float.self), count: count)
        case .bfloat16:
            let halves = source.assumingMemoryBound(to: UInt16.self)
            for i in 0..<count { target[i] = Float(bitPattern: UInt32(halves[i]) << 16) }
        case .counts where shards == 1:
            let bytes = source.assumingMemoryBound(to: UInt8.self)
            for i in 0..<count {
                let code = bytes[i / 4] >> UInt8(6 - 2 * (i % 4)) & 3
                target[i] = code == 3 ? 1 : code == 2 ? -1 : 0
            }
        case .counts where shards <= 127:
            let bytes = source.assumingMemoryBound(to: Int8.self)
            for i in 0..<count { target[i] = Float(bytes[i]) }
        case .counts:
            let halves = source.assumingMemoryBound(to: Int16.self)
            for i in 0..<count { target[i] = Float(halves[i]) }
        }
    }

    /// To the nearest bfloat16, ties to even. NaN stays NaN.
    private static func rounded(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
    }
}
