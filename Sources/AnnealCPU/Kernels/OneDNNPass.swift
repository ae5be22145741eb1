import AnnealCompiler
import AnnealCore
import CAnnealKernels
import COneDNN
import Synchronization

/// A pass of a convolution that oneDNN computes, with the same bits for any number of threads.
///
/// oneDNN's forward passes and data gradients compute each number on one thread, except for those based on matrix
/// products (`gemm`, `brg`); these and the weights' gradients split sums by the number of threads. They are therefore
/// computed for slices of the batch, with a number of slices that depends on the shape, each by one thread. oneDNN's
/// plain loops (`ref`) are slow, but do not split sums.
struct OneDNNPass {
    private let engine: CPUEngine
    private let shape: anneal_conv
    private let pass: anneal_pass
    private let options: onednn_conv_options
    private let weights: OneDNNWeights
    /// The operands of the convolution, and the layouts and shapes of its activations.
    private let data, weight, output: Program.Operand
    private let bias: Program.Operand?
    private let source, target: Program.Value

    /// - Parameters:
    ///   - data, weight, bias, output: the site's operands that play these roles in the convolution, or their
    ///     gradients.
    ///   - post: applied to the result of a forward pass.
    init(
        _ engine: CPUEngine, _ site: KernelSite, _ shape: anneal_conv, _ pass: anneal_pass, data: Program.Operand,
        weight: Program.Operand, bias: Program.Operand?, output: Program.Operand, post: anneal_post = anneal_post()
    ) throws {
        guard let weights = try site.layout(weight).weights(OneDNNWeights.self) else {
            throw AnnealError(
                "", "its weights are not in a convolution's layout", suggestion: "this is a bug in Anneal",
                code: .internalDefect)
        }
        (self.engine, self.shape, self.pass, self.weights) = (engine, shape, pass, weights)
        options = onednn_conv_options(
            bias: bias == nil ? 0 : 1, inference: site.mode == .inference ? 1 : 0, post: post)
        (self.data, self.weight, self.bias, self.output) = (data, weight, bias, output)
        source = try site.value(data)
        target = try site.value(output)
    }

    private static let mostSlices = 16
    /// Limit for the floats of all slices' weight gradients together; two may be larger.
    private static let sliceFloats = 1 << 20

    func kernel() throws -> PreparedKernel {
        // oneDNN 3's choice may depend on the number of threads: the one for a single thread is used.
        let chosen = try onOneThread { try convolution(shape).implementation }
        let cutsSums = pass == ANNEAL_BACKWARD_WEIGHTS || chosen.contains("gemm") || chosen.contains("brg")
        if cutsSums && !chosen.contains("ref:") { return try slicedKernel() }
        let whole = try convolution(shape)
        return whole.implementation == chosen ? kernel(whole) : try slicedKernel()
    }

    private func convolution(_ shape: anneal_conv) throws -> OneDNNConvolution {
        try OneDNNConvolution(
            engine, shape, pass, options, source: source.layout.block, target: target.layout.block, weights: weights)
    }

    private func bias(_ memory: KernelMemory) -> UnsafeMutablePointer<Float>? { bias.flatMap(memory.optional) }

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
        let n = Int(shape.n), adds = pass == ANNEAL_BACKWARD_WEIGHTS, channels = Int(shape.groups * shape.oc)
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
        // A thread processes the slices of a lane one after the other, in the same scratch memory.
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
                    anneal_add(w, sum, w, 0, Int64(elements))
                    if let b { anneal_add(b, sum + elements, b, 0, Int64(channels)) }
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
