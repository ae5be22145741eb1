import AnnealCompiler
import AnnealCore
import COneDNN

/// Weights in an order of oneDNN's choice.
/// Immutable after creation, as oneDNN's descriptors are.
final class OneDNNWeights: PackedWeights, @unchecked Sendable {
    let handle: OpaquePointer
    private let engine: CPUEngine
    let elements: Int

    init(_ handle: OpaquePointer, engine: CPUEngine) {
        self.handle = handle
        self.engine = engine
        elements = adnn_layout_elements(handle)
    }

    deinit { adnn_layout_destroy(handle) }

    func isEqual(_ other: any EngineLayout) -> Bool {
        guard let other = other as? OneDNNWeights else { return false }
        return adnn_layout_equal(handle, other.handle) != 0
    }

    func pack(_ plain: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) throws {
        try check(adnn_layout_pack(engine.handle, handle, plain, packed), "reordering weights")
    }

    func unpack(_ packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>) throws {
        try check(adnn_layout_unpack(engine.handle, handle, packed, plain), "reordering weights")
    }
}

/// One pass of a convolution in oneDNN.
final class OneDNNConvolution {
    private let handle: OpaquePointer
    private let engine: CPUEngine

    /// - Parameters:
    ///   - source, target: the blocks of the two activations; 0 lets oneDNN choose.
    ///   - weights: their layout; nil lets oneDNN choose.
    init(
        _ engine: CPUEngine, _ shape: adnn_conv_shape, _ pass: adnn_pass, source: Int, target: Int,
        weights: OneDNNWeights?
    ) throws {
        var conv: OpaquePointer?
        try withUnsafePointer(to: shape) {
            try check(
                adnn_conv_create(engine.handle, $0, pass, Int32(source), Int32(target), weights?.handle, &conv),
                "creating a convolution")
        }
        guard let conv else { throw AnnealError("", "oneDNN gave no convolution", code: .internalDefect) }
        handle = conv
        self.engine = engine
    }

    deinit { adnn_conv_destroy(handle) }

    var sourceBlock: Int { Int(adnn_conv_src_block(handle)) }
    var targetBlock: Int { Int(adnn_conv_dst_block(handle)) }

    func weights() throws -> OneDNNWeights {
        var layout: OpaquePointer?
        try check(adnn_conv_weights_layout(handle, &layout), "asking for the weights' layout")
        guard let layout else { throw AnnealError("", "oneDNN gave no layout", code: .internalDefect) }
        return OneDNNWeights(layout, engine: engine)
    }

    func kernel(
        data: Program.Operand, weight: Program.Operand, bias: Program.Operand, output: Program.Operand
    ) -> PreparedKernel {
        let handle = handle
        var kernel = PreparedKernel.checked({ [self] memory in
            try check(
                adnn_conv_bind(
                    handle, memory[data], memory[weight], memory.optional(bias), memory[output], memory.scratch),
                "binding a convolution")
            // The closure keeps the primitive alive.
            return { adnn_conv_execute(self.handle) }
        })
        kernel.scratch = (adnn_conv_scratch_bytes(handle) + 3) / 4
        kernel.reorders = Int(adnn_conv_reorders(handle))
        kernel.implementation = String(cString: adnn_conv_implementation(handle))
        return kernel
    }
}
