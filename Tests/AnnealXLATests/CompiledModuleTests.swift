import AnnealCore
import AnnealXLA
import Testing

/// Counts in a compiled program, which XLA describes in the Protocol Buffers encoding.
@Suite struct CompiledModuleTests {
    private static func variable(_ value: Int) -> [UInt8] {
        value < 128 ? [UInt8(value)] : [UInt8(value & 0x7f | 0x80)] + variable(value >> 7)
    }
    private static func number(_ field: Int, _ value: Int) -> [UInt8] { variable(field << 3) + variable(value) }
    private static func bytes(_ field: Int, _ bytes: [UInt8]) -> [UInt8] {
        variable(field << 3 | 2) + variable(bytes.count) + bytes
    }

    /// An instruction of one array; types are XLA's numbers: 11 float32, 16 bfloat16.
    private static func instruction(
        _ id: Int, _ opcode: String, type: Int = 11, operands: [UInt8] = [], called: UInt8? = nil,
        target: String? = nil, number place: Int? = nil
    ) -> [UInt8] {
        var result = bytes(2, Array(opcode.utf8)) + bytes(3, number(2, type))
        if let place { result += number(9, place) }
        if let target { result += bytes(28, Array(target.utf8)) }
        result += number(35, id)
        if !operands.isEmpty { result += bytes(36, operands) }
        if let called { result += bytes(38, [called]) }
        return bytes(2, result)
    }

    private static func module(_ computations: [(id: Int, instructions: [UInt8])]) -> [UInt8] {
        var module = number(6, 1)
        for computation in computations { module += bytes(3, computation.instructions + number(5, computation.id)) }
        return bytes(1, module)
    }

    private static let step = module([
        (
            1,
            instruction(1, "parameter") + instruction(2, "parameter") + instruction(3, "parameter", type: 6)
                + instruction(4, "fusion", operands: [3, 1], called: 2)
                + instruction(5, "custom-call", type: 16, operands: [4], target: "__cudnn$convForward")
                + instruction(6, "custom-call", operands: [5], target: "__cudnn$convBackwardFilter")
                + instruction(7, "bitcast", operands: [2]) + instruction(8, "transpose", operands: [7])
                + instruction(9, "tuple", operands: [6, 8])
        ),
        // The pixels, the first operand, are transposed, the parameter is not.
        (
            2,
            instruction(1, "parameter", number: 1) + instruction(2, "parameter", type: 6, number: 0)
                + instruction(3, "transpose", operands: [2]) + instruction(4, "add", operands: [3, 1])
        ),
    ])

    @Test func launchesConvolutionsAndTransposesAreCounted() throws {
        let module = try CompiledModule(Self.step)
        #expect(module.launches == 4)
        #expect(module.convolutions == 2)
        #expect(module.float32Convolutions == 1)
        #expect(module.transposedParameters == 1)
    }

    @Test func whatIsCutOffIsAnError() {
        for length in 0..<Self.step.count {
            #expect(throws: AnnealError.self) { try CompiledModule(Array(Self.step.prefix(length))) }
        }
    }
}
