import AnnealCompiler
import AnnealCore
import CAnnealKernels
import COneDNN
import Synchronization

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

    fileprivate var implementation: String { String(cString: adnn_conv_implementation(handle)) }
    fileprivate var reorders: Int { Int(adnn_conv_reorders(handle)) }
    /// Floats of scratch memory, in whole cache lines.
    fileprivate var scratch: Int { (Int(adnn_conv_scratch_bytes(handle)) + 63) / 64 * 16 }

    fileprivate func bind(
        _ data: UnsafeMutablePointer<Float>, _ weight: UnsafeMutablePointer<Float>,
        _ bias: UnsafeMutablePointer<Float>?, _ output: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>?
    ) throws {
        try check(adnn_conv_bind(handle, data, weight, bias, output, scratch), "binding a convolution")
    }

    fileprivate func run() -> Int32 { adnn_conv_execute(handle) }
}

/// A pass of a convolution that oneDNN computes, with the same bits for any number of threads.
///
/// Its forward passes and data gradients compute each number on one thread, but for those made of matrix products; these and
/// the weights' gradients share out sums by the number of threads. They are therefore made of slices of the batch, as many as
/// the shape says, each computed by one thread. Its plain loops (`ref`) are slow, but share out nothing but results.
struct OneDNNPass {
    let engine: CPUEngine
    let shape: adnn_conv_shape
    let pass: adnn_pass
    let weights: OneDNNWeights
    /// The operands of the convolution, and the layouts and shapes of its activations.
    let data, weight, bias, output: Program.Operand
    let source, target: Program.Value

    private static let mostSlices = 16
    /// Floats of all slices' weight gradients together; two may be larger.
    private static let sliceFloats = 1 << 20

    func kernel() throws -> PreparedKernel {
        let whole = try convolution(shape)
        let divides = pass == ADNN_BACKWARD_WEIGHTS || whole.implementation.contains("gemm")
        return divides && !whole.implementation.hasPrefix("ref") ? try slicedKernel() : kernel(whole)
    }

    private func convolution(_ shape: adnn_conv_shape) throws -> OneDNNConvolution {
        try OneDNNConvolution(
            engine, shape, pass, source: source.layout.block, target: target.layout.block, weights: weights)
    }

    /// nil for passes without it; a deconvolution's bias is not the convolution's.
    private func bias(_ memory: KernelMemory) -> UnsafeMutablePointer<Float>? {
        shape.bias == 0 ? nil : memory.optional(bias)
    }

    private func kernel(_ whole: OneDNNConvolution) -> PreparedKernel {
        var kernel = PreparedKernel.checked({ memory in
            try whole.bind(memory[data], memory[weight], bias(memory), memory[output], scratch: memory.scratch)
            // The closure keeps the primitive alive.
            return { whole.run() }
        })
        kernel.scratch = whole.scratch
        kernel.reorders = whole.reorders
        kernel.implementation = whole.implementation
        return kernel
    }

    private func slicedKernel() throws -> PreparedKernel {
        let n = Int(shape.n), adds = pass == ADNN_BACKWARD_WEIGHTS, channels = Int(shape.oc)
        let partial = adds ? (weights.elements + channels + 15) / 16 * 16 : 0
        let slices = min(n, Self.mostSlices, adds ? max(2, Self.sliceFloats / partial) : n)
        let parts = try onOneThread {
            try (0..<slices).map { slice in
                let samples = Parallel.slice(n, part: slice, parts: slices, grain: 1)
                var shape = shape
                shape.n = Int64(samples.count)
                return Slice(first: samples.lowerBound, convolution: try convolution(shape))
            }
        }
        // A thread takes the slices of a lane one after the other, in the same scratch memory.
        let lanes = min(slices, Parallel.threads), room = parts.map(\.convolution.scratch).max() ?? 0
        let sourceStride = source.layout.elements(source.shape) / n
        let targetStride = target.layout.elements(target.shape) / n
        let elements = weights.elements
        var kernel = PreparedKernel.checked({ memory in
            let x = memory[data], y = memory[output], w = memory[weight], b = bias(memory)
            var sums: [UnsafeMutablePointer<Float>] = []
            for lane in 0..<lanes {
                for slice in Parallel.slice(slices, part: lane, parts: lanes, grain: 1) {
                    var own = w, ownBias = b
                    if adds, slice > 0, let scratch = memory.scratch {
                        own = scratch + lanes * room + (slice - 1) * partial
                        ownBias = b == nil ? nil : own + elements
                        sums.append(own)
                    }
                    try parts[slice].convolution.bind(
                        x + parts[slice].first * sourceStride, own, ownBias, y + parts[slice].first * targetStride,
                        scratch: memory.scratch.map { $0 + lane * room })
                }
            }
            return {
                let failure = Atomic<Int32>(0)
                Parallel.run { thread, threads in
                    for lane in Parallel.slice(lanes, part: thread, parts: threads, grain: 1) {
                        for slice in Parallel.slice(slices, part: lane, parts: lanes, grain: 1) {
                            let status = parts[slice].convolution.run()
                            if status != 0 { failure.store(status, ordering: .relaxed) }
                        }
                    }
                }
                for sum in sums {
                    ank_add(w, sum, w, 0, Int64(elements))
                    if let b { ank_add(b, sum + elements, b, 0, Int64(channels)) }
                }
                return failure.load(ordering: .relaxed)
            }
        })
        kernel.scratch = lanes * room + (slices - 1) * partial
        kernel.reorders = parts[0].convolution.reorders
        kernel.implementation = parts[0].convolution.implementation
        return kernel
    }

    /// Used by one thread at a time.
    private struct Slice: @unchecked Sendable {
        /// Its first sample.
        let first: Int
        let convolution: OneDNNConvolution
    }
}
