import AnnealCore
import AnnealGraph
import CAnnealKernels
import COneDNN

/// A grouped convolution with few channels a group, in our own kernels.
struct GroupedConvolution {
    let conv: ank_groupconv

    /// nil if the kernels do not take the shape.
    init?(_ op: Convolution, data: Shape, output: Shape, block: Int) {
        guard op.numGroup > 1, op.window.kernel.count == 2 else { return nil }
        let window = op.window
        conv = ank_groupconv(
            n: Int64(data[0]), groups: Int64(op.numGroup), ic: Int64(data[1] / op.numGroup),
            oc: Int64(op.numFilter / op.numGroup), b: Int64(block), ih: Int64(data[2]), iw: Int64(data[3]),
            oh: Int64(output[2]), ow: Int64(output[3]), kh: Int64(window.kernel[0]), kw: Int64(window.kernel[1]),
            sh: Int64(window.stride[0]), sw: Int64(window.stride[1]), ph: Int64(window.pad[0]),
            pw: Int64(window.pad[1]),
            dh: Int64(window.dilate[0]), dw: Int64(window.dilate[1]))
        guard withUnsafePointer(to: conv, { ank_groupconv_supported($0) }) != 0 else { return nil }
    }

    func kernel(
        _ pass: adnn_pass, data: Program.Operand, weight: Program.Operand, bias: Program.Operand,
        output: Program.Operand, post: adnn_post_ops
    ) -> PreparedKernel {
        let conv = conv
        var kernel = PreparedKernel { memory in
            let x = memory[data], w = memory[weight], y = memory[output]
            let b = memory.optional(bias), scratch = memory.scratch
            switch pass {
            case ADNN_BACKWARD_DATA:
                return { withUnsafePointer(to: conv) { ank_groupconv_backward_data($0, y, w, x) } }
            case ADNN_BACKWARD_WEIGHTS:
                return { withUnsafePointer(to: conv) { ank_groupconv_backward_weights($0, x, y, w, b, scratch) } }
            default:
                let limits = post.clip != 0 ? (post.low, post.high) : (-.infinity, .infinity)
                return { withUnsafePointer(to: conv) { ank_groupconv_forward($0, x, w, b, limits.0, limits.1, y) } }
            }
        }
        if pass == ADNN_BACKWARD_WEIGHTS {
            kernel.scratch = Int(withUnsafePointer(to: conv) { ank_groupconv_scratch($0) })
        }
        kernel.implementation = "anneal:grouped"
        return kernel
    }
}

/// Weights in the order of our grouped kernels.
final class GroupedWeights: OpaqueLayout, @unchecked Sendable {
    private let conv: ank_groupconv

    init(_ grouped: GroupedConvolution) {
        conv = grouped.conv
        super.init(elements: Int(withUnsafePointer(to: grouped.conv) { ank_groupconv_weights($0) }))
    }

    override func isEqual(_ other: OpaqueLayout) -> Bool {
        guard let other = (other as? GroupedWeights)?.conv else { return false }
        // The order depends on the channels, the kernel and the block only.
        return conv.groups == other.groups && conv.ic == other.ic && conv.oc == other.oc && conv.b == other.b
            && conv.kh == other.kh && conv.kw == other.kw
    }

    override func pack(_ plain: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        withUnsafePointer(to: conv) { ank_groupconv_pack($0, plain, packed) }
    }

    override func unpack(_ packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>) {
        withUnsafePointer(to: conv) { ank_groupconv_unpack($0, packed, plain) }
    }
}
