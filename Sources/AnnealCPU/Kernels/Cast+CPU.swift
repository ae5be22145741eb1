import AnnealCompiler
import AnnealGraph

extension Cast: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try rounded(site, from: .input(0), to: .output(0))
    }

    /// The gradient has the output's type too.
    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try rounded(site, from: .outputGradient(0), to: .gradient(0))
    }

    private func rounded(_ site: KernelSite, from: Program.Operand, to: Program.Operand) throws -> PreparedKernel {
        let round: @Sendable (Float) -> Float
        switch dtype {
        case .float32, .float64: return try copyKernel(site, from: from, to: to)
        case .float16: round = { Float(Float16($0)) }
        // The upper half of the number's bits, truncated as in MXNet.
        case .bfloat16: round = { Float(bitPattern: $0.bitPattern & 0xffff_0000) }
        case .bool: round = { $0 != 0 ? 1 : 0 }
        case .int64: round = { Float(Cast.whole($0, Int64.self)) }
        case .int32: round = { Float(Cast.whole($0, Int32.self)) }
        // C++ converts via 32 bits: values that are too large wrap around.
        case .uint8: round = { Float(UInt8(truncatingIfNeeded: Cast.whole($0, Int32.self))) }
        case .int8: round = { Float(Int8(truncatingIfNeeded: Cast.whole($0, Int32.self))) }
        case .int16: round = { Float(Int16(truncatingIfNeeded: Cast.whole($0, Int32.self))) }
        }
        return try pointwiseKernel(site, from, to: to) { x, _, _ in round(x) }
    }

    /// Truncated towards zero; values out of range become the smallest integer, as on the CPU.
    private static func whole<T: FixedWidthInteger>(_ x: Float, _ type: T.Type) -> T {
        let cut = x.rounded(.towardZero)
        return T(exactly: cut) ?? T.min
    }
}
