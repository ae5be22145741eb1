import AnnealCore
import AnnealGraph

/// Howard et al. 2017, MobileNets: efficient convolutional neural networks for mobile vision applications
/// (arXiv:1704.04861); MXNet's `mobilenet`.
///
/// - Parameters:
///   - multiplier: the width relative to the paper's, MXNet's `alpha`: 0.25, 0.5, 0.75 or 1.
///   - resolution: the image's side, a multiple of 32; the last pool is 1/32 of it.
public func mobilenet(numClasses: Int, multiplier: Double = 1, resolution: Int = 224) throws -> Symbol {
    guard [0.25, 0.5, 0.75, 1].contains(multiplier) else {
        throw AnnealError(
            "multiplier \(multiplier)", "mobilenet has no such width", suggestion: "it must be 0.25, 0.5, 0.75 or 1")
    }
    guard resolution > 0, resolution % 32 == 0 else {
        throw AnnealError(
            "--image-shape", "mobilenet requires a multiple of 32, not \(resolution)", suggestion: "such as 3,224,224")
    }
    let net = SymbolBuilder()
    var depth = Int(32 * multiplier)
    var body = try net.convolutionUnit(
        .variable("data"), depth, [3, 3], stride: 2, pad: [1, 1], numGroup: 1, name: "conv_1")
    for (index, layer) in mobilenetLayers.enumerated() {
        let name = "conv_\(index + 2)"
        body = try net.convolutionUnit(
            body, depth, [3, 3], stride: layer.stride, pad: [1, 1], numGroup: depth, name: "\(name)_dw")
        if layer.widens { depth *= 2 }
        body = try net.convolutionUnit(body, depth, numGroup: 1, name: name)
    }
    let side = resolution / 32
    body = try net.pooling(body, kind: .avg, kernel: [side, side], stride: [1, 1], name: "global_pool")
    body = try net.fullyConnected(net.flatten(body, name: "flatten"), numHidden: numClasses, name: "fc")
    return try net.softmaxOutput(body, name: "softmax")
}

/// Depthwise convolutions: the stride, and whether the 1x1 convolution after it doubles the channels.
private let mobilenetLayers: [(stride: Int, widens: Bool)] = [
    (1, true), (2, true), (1, false), (2, true), (1, false), (2, true), (1, false), (1, false), (1, false),
    (1, false), (1, false), (2, true), (1, false),
]

/// MXNet's script sizes the last pool for 224 pixels regardless of the image; that fails for smaller ones, so they get
/// a smaller pool.
func mobilenetResolution(_ imageShape: [Int]) -> Int { min(224, (imageShape[1] + 31) / 32 * 32) }
