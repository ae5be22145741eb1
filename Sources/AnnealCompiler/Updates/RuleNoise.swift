import AnnealCore

/// The noise for rules that need it: a function of the seed, the parameter's name, its update and the element's index
/// in plain order, the same on every engine.
public enum RuleNoise {
    /// Elements that share a random stream.
    public static let chunk = 8192

    /// The noise for all elements of a parameter, in plain order.
    public static func draws(_ count: Int, parameter: String, update: Int, seed: UInt64) -> [Float] {
        var draws = [Float](repeating: 0, count: count)
        draws.withUnsafeMutableBufferPointer { draws in
            for start in stride(from: 0, to: count, by: chunk) {
                fill(
                    UnsafeMutableBufferPointer(rebasing: draws[start..<min(start + chunk, count)]),
                    chunk: start / chunk,
                    parameter: parameter, update: update, seed: seed)
            }
        }
        return draws
    }

    /// Computes the noise for elements of one chunk, from its first on.
    public static func fill(
        _ draws: UnsafeMutableBufferPointer<Float>, chunk: Int, parameter: String, update: Int, seed: UInt64
    ) {
        // FNV-1a; the multiplication spreads neighbours over all indices.
        let stream = parameter.utf8.reduce(0x811c_9dc5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        let index = stream ^ (UInt32(truncatingIfNeeded: chunk) &* 0x9E37_79B1)
        var random = Random(seed: seed, purpose: .noise, epoch: update, index: Int(index))
        for element in draws.indices { draws[element] = random.normal() }
    }
}
