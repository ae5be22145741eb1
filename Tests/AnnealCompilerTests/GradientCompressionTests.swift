import AnnealCompiler
import Testing

/// How gradients are compressed between processes.
struct GradientCompressionTests {
    /// MXNet's formula by hand, with a threshold of 0.5: what is not sent is sent later.
    @Test func whatIsNotSentIsKept() {
        var residual: [Float] = [0, 0, 0, 0, 0]
        func send(_ gradient: [Float]) -> [Float] {
            var gradient = gradient
            gradient.withUnsafeMutableBufferPointer { gradient in
                residual.withUnsafeMutableBufferPointer { residual in
                    guard let a = gradient.baseAddress, let b = residual.baseAddress else { return }
                    GradientCompression.quantize(a, b, gradient.count, threshold: 0.5)
                }
            }
            return gradient
        }
        #expect(send([0.25, -0.75, 0.5, 0.375, -0.5]) == [0, -1, 1, 0, -1])
        #expect(residual == [0.25, -0.25, 0, 0.375, 0])
        #expect(send([0.25, -0.75, 0.5, 0.375, 2]) == [1, -1, 1, 1, 1])
        #expect(residual == [0, -0.5, 0, 0.25, 1.5])
        // One threshold per step, however much is left.
        #expect(send([0, 0, 0, 0, 0]) == [0, -1, 0, 0, 1])
        #expect(residual == [0, 0, 0, 0.25, 1])
    }

    private func bytes(_ format: WireFormat, _ values: [Float], shards: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: format.bytes(values.count, shards: shards))
        bytes.withUnsafeMutableBytes { target in
            values.withUnsafeBufferPointer { source in
                guard let to = target.baseAddress, let from = source.baseAddress else { return }
                format.encode(from, values.count, shards: shards, to: to)
            }
        }
        return bytes
    }

    private func values(_ format: WireFormat, _ bytes: [UInt8], _ count: Int, shards: Int) -> [Float] {
        var values = [Float](repeating: 9, count: count)
        values.withUnsafeMutableBufferPointer { target in
            bytes.withUnsafeBytes { source in
                guard let to = target.baseAddress, let from = source.baseAddress else { return }
                format.decode(from, count, shards: shards, to: to)
            }
        }
        return values
    }

    /// MXNet's order: 11 is up, 10 is down, and the first value is in the first byte's highest bits.
    @Test func twoBitsAreMXNets() {
        let signs: [Float] = [1, 0, -1, 0, 1, 1, -1, -1]
        let packed = bytes(.counts, signs, shards: 1)
        #expect(packed == [0b1100_1000, 0b1111_1010, 0, 0])
        #expect(values(.counts, packed, 8, shards: 1) == signs)
    }

    @Test(arguments: [(3, 4), (127, 4), (128, 8), (300, 8)]) func sumsAreWholeNumbers(shards: Int, size: Int) {
        let sums: [Float] = [Float(shards), Float(-shards), 0, 2]
        let packed = bytes(.counts, sums, shards: shards)
        #expect(packed.count == size)
        #expect(values(.counts, packed, 4, shards: shards) == sums)
    }

    @Test func bfloat16IsRoundedToEven() {
        // 1; 1 + 2^-8 and 1 + 3 * 2^-8, which are half-way; a little more than half-way; -pi.
        let numbers: [Float] = [1, 1.00390625, 1.01171875, 1.004, -3.14159265, .infinity]
        let packed = bytes(.bfloat16, numbers, shards: 2)
        let halves = stride(from: 0, to: packed.count, by: 2).map { UInt16(packed[$0]) | UInt16(packed[$0 + 1]) << 8 }
        #expect(halves == [0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xc049, 0x7f80])
        #expect(values(.bfloat16, packed, 6, shards: 2).prefix(3) == [1, 1, 1.015625])
        #expect(values(.bfloat16, bytes(.bfloat16, [.nan], shards: 2), 1, shards: 2)[0].isNaN)
    }
}
