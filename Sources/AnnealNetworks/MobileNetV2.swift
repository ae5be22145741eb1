import AnnealCore
import AnnealGraph

/// Sandler, Howard, Zhu, Zhmoginov and Chen 2018, MobileNetV2: inverted residuals and linear bottlenecks
/// (arXiv:1801.04381); MXNet's `mobilenetv2`. The pool is global: any image shape works.
///
/// - Parameter multiplier: the width relative to the paper's.
public func mobilenetV2(numClasses: Int, multiplier: Double = 1) throws -> Symbol {
    // Halves are rounded to even, as in Python.
    func width(_ filters: Int) -> Int { Int((Double(filters) * multiplier).rounded(.toNearestOrEven)) }
    guard multiplier <= 16, width(16) >= 1 else {
        throw AnnealError(
            "multiplier \(multiplier)", "mobilenetv2 has no such width",
            suggestion: "it must be from 0.05 to 16, such as 0.5")
    }
    let net = SymbolBuilder()
    var channels = width(32)
    var body = try net.unit(.variable("data"), channels, 3, stride: 2, prefix: "first-3x3-conv")
    for (index, stage) in mobilenetV2Stages.enumerated() {
        let filters = width(stage.filters)
        for block in 0..<stage.blocks {
            body = try net.invertedResidual(
                body, channels: channels, expansion: stage.expansion, filters: filters,
                stride: block == 0 ? stage.stride : 1, shortcut: block > 0, prefix: "seq-\(index)-block\(block)")
            channels = filters
        }
    }
    let last = multiplier > 1 ? Int(1280 * multiplier) : 1280
    body = try net.unit(body, last, 1, prefix: "last-1x1-conv")
    body = try net.pooling(body, kind: .avg, kernel: [7, 7], stride: [1, 1], global: true, name: "global_pool")
    body = try net.fullyConnected(net.flatten(body, name: "flatten"), numHidden: numClasses, name: "fc")
    return try net.softmaxOutput(body, name: "softmax")
}

/// Table 2 of the paper.
private let mobilenetV2Stages: [(expansion: Int, filters: Int, blocks: Int, stride: Int)] = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
]

extension SymbolBuilder {
    fileprivate func unit(
        _ data: Symbol, _ filters: Int, _ kernel: Int, stride: Int = 1, numGroup: Int = 1, activated: Bool = true,
        prefix: String
    ) throws -> Symbol {
        let pad = kernel / 2
        let convolved = try convolution(
            data, numFilter: filters, kernel: [kernel, kernel], stride: [stride, stride], pad: [pad, pad],
            numGroup: numGroup, noBias: true, name: "\(prefix)-conv2d")
        let normed = try batchNorm(
            convolved, fixGamma: false, eps: 1e-5, useGlobalStats: false, name: "\(prefix)-batchnorm")
        return try activated ? clip(normed, from: 0, to: 6, name: "\(prefix)-relu6") : normed
    }

    /// Expansion by a 1x1 convolution, a depthwise convolution, and a linear projection.
    fileprivate func invertedResidual(
        _ data: Symbol, channels: Int, expansion: Int, filters: Int, stride: Int, shortcut: Bool, prefix: String
    ) throws -> Symbol {
        let wide = channels * expansion
        var body = try unit(data, wide, 1, prefix: "\(prefix)-exp")
        body = try unit(body, wide, 3, stride: stride, numGroup: wide, prefix: "\(prefix)-depthwise")
        body = try unit(body, filters, 1, activated: false, prefix: "\(prefix)-linear")
        return try shortcut ? add(data, body, name: "\(prefix)-shortcut") : body
    }
}
