import AnnealCompiler
import AnnealCore
import CAnnealKernels
import COneDNN

/// Weights in a layout chosen by oneDNN.
/// Immutable after creation, as oneDNN's descriptors are.
final class OneDNNWeights: PackedWeights, @unchecked Sendable {
    let handle: OpaquePointer
    private let engine: CPUEngine
    let elements: Int

    init(_ handle: OpaquePointer, engine: CPUEngine) {
        self.handle = handle
        self.engine = engine
        elements = onednn_layout_elements(handle)
    }

    deinit { onednn_layout_destroy(handle) }

    func isEqual(_ other: any EngineLayout) -> Bool {
        guard let other = other as? OneDNNWeights else { return false }
        return onednn_layout_equal(handle, other.handle) != 0
    }

    func pack(_ plain: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) throws {
        try check(onednn_layout_pack(engine.handle, handle, plain, packed), "reordering weights")
    }

    func unpack(_ packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>) throws {
        try check(onednn_layout_unpack(engine.handle, handle, packed, plain), "reordering weights")
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
        _ engine: CPUEngine, _ shape: anneal_conv, _ pass: anneal_pass, _ options: onednn_conv_options, source: Int,
        target: Int, weights: OneDNNWeights?
    ) throws {
        var conv: OpaquePointer?, shape = shape, options = options
        try check(
            onednn_conv_create(
                engine.handle, &shape, pass, &options, Int32(source), Int32(target), weights?.handle, &conv),
            "creating a convolution")
        guard let conv else { throw AnnealError("", "oneDNN returned no convolution", code: .internalDefect) }
        handle = conv
        self.engine = engine
    }

    deinit { onednn_conv_destroy(handle) }

    var sourceBlock: Int { Int(onednn_conv_src_block(handle)) }
    var targetBlock: Int { Int(onednn_conv_dst_block(handle)) }

    func weights() throws -> OneDNNWeights {
        var layout: OpaquePointer?
        try check(onednn_conv_weights_layout(handle, &layout), "querying the weights' layout")
        guard let layout else { throw AnnealError("", "oneDNN returned no layout", code: .internalDefect) }
        return OneDNNWeights(layout, engine: engine)
    }

    var implementation: String { String(cString: onednn_conv_implementation(handle)) }
    var reorders: Int { Int(onednn_conv_reorders(handle)) }
    /// Floats of scratch memory, in whole cache lines.
    var scratch: Int { (Int(onednn_conv_scratch_bytes(handle)) + 63) / 64 * 16 }

    func bind(
        _ data: UnsafeMutablePointer<Float>, _ weight: UnsafeMutablePointer<Float>,
        _ bias: UnsafeMutablePointer<Float>?, _ output: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>?
    ) throws {
        try check(onednn_conv_bind(handle, data, weight, bias, output, scratch), "binding a convolution")
    }

    func run() -> Int32 { onednn_conv_execute(handle) }
}

/// The layouts that oneDNN chooses for the activations and the weights of a convolution.
struct OneDNNLayouts {
    let source, target: Layout
    let weights: OneDNNWeights

    /// - Parameter given: the weights' layout, if another convolution with the same weights has already chosen one.
    init(
        _ engine: CPUEngine, _ shape: anneal_conv, _ pass: anneal_pass, _ options: onednn_conv_options,
        weights given: OneDNNWeights?
    ) throws {
        // The choice depends on the shape, not on the number of threads.
        let primitive = try onOneThread {
            func primitive(_ block: Int) throws -> OneDNNConvolution {
                try OneDNNConvolution(engine, shape, pass, options, source: block, target: block, weights: given)
            }
            let free = try primitive(0)
            // If no other kernel knows its layouts, plain ones cost less than two layout changes.
            return try free.sourceBlock == 0 || free.targetBlock == 0 ? primitive(1) : free
        }
        func layout(_ block: Int) -> Layout { block > 1 ? .blocked(block) : .plain }
        source = layout(primitive.sourceBlock)
        target = layout(primitive.targetBlock)
        weights = try given ?? primitive.weights()
    }
}
