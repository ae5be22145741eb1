import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

/// A layout of this engine's weights.
protocol PackedWeights: EngineLayout {
    func pack(_ plain: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) throws
    func unpack(_ packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>) throws
}

extension Layout {
    /// A layout of weights, if it is one of this type.
    func weights<Weights: PackedWeights>(_ type: Weights.Type) -> Weights? {
        guard case .opaque(let opaque) = self else { return nil }
        return opaque.layout as? Weights
    }
}

extension OpaqueLayout {
    func weights() throws -> any PackedWeights {
        guard let weights = layout as? any PackedWeights else {
            throw AnnealError(
                "engine cpu", "was given another engine's layout", suggestion: "this is a bug in Anneal")
        }
        return weights
    }
}

/// Weights of a 2-D convolution in the order of our own kernels (anneal_conv.h).
final class BlockedWeights: PackedWeights {
    // Only its channels, kernel and block matter to the order.
    private let conv: anneal_conv
    let elements: Int

    init(_ conv: anneal_conv) {
        self.conv = conv
        elements = Int(withUnsafePointer(to: conv) { anneal_conv_weights($0) })
    }

    var isForPlainData: Bool { conv.plain != 0 }

    func isEqual(_ other: any EngineLayout) -> Bool {
        guard let other = (other as? BlockedWeights)?.conv else { return false }
        return conv.groups == other.groups && conv.ic == other.ic && conv.oc == other.oc && conv.b == other.b
            && conv.kh == other.kh && conv.kw == other.kw && conv.plain == other.plain
    }

    func pack(_ plain: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        withUnsafePointer(to: conv) { anneal_conv_pack($0, plain, packed) }
    }

    func unpack(_ packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>) {
        withUnsafePointer(to: conv) { anneal_conv_unpack($0, packed, plain) }
    }
}
