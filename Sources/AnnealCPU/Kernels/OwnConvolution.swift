import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

/// A 2-D convolution in our own kernels, on blocked channels and `BlockedWeights`.
struct OwnConvolution {
    private enum Method {
        /// Few channels per group.
        case grouped
        /// 3x3 and 5x5 of stride 1, by Winograd's minimal filtering.
        case winograd
        /// Matrix products over the whole batch.
        case dense
    }

    private let conv: anneal_conv
    private let method: Method

    /// nil if oneDNN is faster, or our kernels do not support the shape.
    /// - Parameter plain: whether the data has no blocks, which only the matrix products support.
    init?(_ op: Convolution, data: Shape, output: Shape, block: Int, plain: Bool) {
        let window = op.window
        guard window.kernel.count == 2 else { return nil }
        var conv = anneal_conv(window, groups: op.numGroup, data: data, output: output)
        (conv.b, conv.plain, conv.threads) = (Int64(block), plain ? 1 : 0, Int64(Parallel.threads))
        self.conv = conv
        guard op.numGroup == 1 else {
            guard withUnsafePointer(to: conv, { anneal_groupconv_supported($0) }) != 0 else { return nil }
            method = .grouped
            return
        }
        if Self.servesWinograd(op, data: data, output: output), !plain,
            withUnsafePointer(to: conv, { anneal_winograd_supported($0) }) != 0
        {
            method = .winograd
        } else {
            guard withUnsafePointer(to: conv, { anneal_denseconv_supported($0) }) != 0 else { return nil }
            method = .dense
        }
    }

    /// Winograd needs 36 products for each tile of outputs, 4x4 with a 3x3 kernel, 2x2 with 5x5, instead of the
    /// kernel's size for each output; tiles at the edges are not full, and the weights must be transformed.
    private static func servesWinograd(_ op: Convolution, data: Shape, output: Shape) -> Bool {
        let kernel = op.window.kernel, side = 7 - kernel[0]
        guard kernel == [3, 3] || kernel == [5, 5] else { return false }
        let tiles = (output[2] + side - 1) / side * ((output[3] + side - 1) / side)
        return tiles * 36 * 5 <= output[2] * output[3] * kernel[0] * kernel[1] * 3 && data[0] * tiles >= 32
    }

    var weights: BlockedWeights { BlockedWeights(conv) }

    func kernel(
        _ pass: anneal_pass, data: Program.Operand, weight: Program.Operand, bias: Program.Operand,
        output: Program.Operand, post: anneal_post
    ) -> PreparedKernel {
        let conv = conv, method = method
        var kernel = PreparedKernel { memory in
            let x = memory[data], w = memory[weight], y = memory[output]
            let b = memory.optional(bias), scratch = memory.scratch
            func run(_ body: @escaping (UnsafePointer<anneal_conv>) -> Void) -> () -> Void {
                { withUnsafePointer(to: conv) { body($0) } }
            }
            func forward(_ body: @escaping (UnsafePointer<anneal_conv>, UnsafePointer<anneal_post>) -> Void) -> () ->
                Void
            {
                { withUnsafePointer(to: conv) { conv in withUnsafePointer(to: post) { body(conv, $0) } } }
            }
            switch (method, pass) {
            case (.grouped, ANNEAL_BACKWARD_DATA): return run { anneal_groupconv_backward_data($0, y, w, x) }
            case (.grouped, ANNEAL_BACKWARD_WEIGHTS):
                return run { anneal_groupconv_backward_weights($0, x, y, w, b, scratch) }
            case (.grouped, _): return forward { anneal_groupconv_forward($0, x, w, b, $1, y) }
            case (.winograd, ANNEAL_BACKWARD_DATA): return run { anneal_winograd_backward_data($0, y, w, x, scratch) }
            case (.winograd, ANNEAL_BACKWARD_WEIGHTS):
                return run { anneal_winograd_backward_weights($0, x, y, w, b, scratch) }
            case (.winograd, _): return forward { anneal_winograd_forward($0, x, w, b, $1, y, scratch) }
            case (.dense, ANNEAL_BACKWARD_DATA): return run { anneal_denseconv_backward_data($0, y, w, x, scratch) }
            case (.dense, ANNEAL_BACKWARD_WEIGHTS):
                return run { anneal_denseconv_backward_weights($0, x, y, w, b, scratch) }
            case (.dense, _): return forward { anneal_denseconv_forward($0, x, w, b, $1, y, scratch) }
            }
        }
        kernel.scratch = withUnsafePointer(to: conv) {
            switch method {
            case .grouped: Int(anneal_groupconv_scratch($0, pass))
            case .winograd: Int(anneal_winograd_scratch($0, pass))
            case .dense: Int(anneal_denseconv_scratch($0, pass))
            }
        }
        kernel.implementation = "anneal:\(method)"
        return kernel
    }
}
