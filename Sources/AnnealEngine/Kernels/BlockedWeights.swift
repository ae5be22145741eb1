import AnnealCore
import AnnealGraph
import CAnnealKernels

/// Weights of a 2-D convolution in the order of our own kernels (ank_conv.h).
final class BlockedWeights: OpaqueLayout, @unchecked Sendable {
    // Only its channels, kernel and block matter to the order.
    private let conv: ank_conv

    init(_ conv: ank_conv) {
        self.conv = conv
        super.init(elements: Int(withUnsafePointer(to: conv) { ank_conv_weights($0) }))
    }

    var isForPlainData: Bool { conv.plain != 0 }

    override func isEqual(_ other: OpaqueLayout) -> Bool {
        guard let other = (other as? BlockedWeights)?.conv else { return false }
        return conv.groups == other.groups && conv.ic == other.ic && conv.oc == other.oc && conv.b == other.b
            && conv.kh == other.kh && conv.kw == other.kw && conv.plain == other.plain
    }

    override func pack(_ plain: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        withUnsafePointer(to: conv) { ank_conv_pack($0, plain, packed) }
    }

    override func unpack(_ packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>) {
        withUnsafePointer(to: conv) { ank_conv_unpack($0, packed, plain) }
    }
}
