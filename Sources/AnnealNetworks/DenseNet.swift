import AnnealCore
import AnnealGraph

/// Huang, Liu, van der Maaten and Weinberger 2017, Densely connected convolutional networks (arXiv:1608.06993).
///
/// MXNet's example has none: this is Gluon's `densenet121` and its variants, under Gluon's parameter names
/// (`densenet0_stage1_conv0_weight`), so that weights exported from Gluon fit. The last pool is global; for 224x224
/// images it equals Gluon's 7x7.
///
/// - Parameter numLayers: 121, 161, 169 or 201.
public func densenet(numClasses: Int, numLayers: Int, dropout: Double = 0) throws -> Symbol {
    guard let plan = densenetPlans[numLayers] else { throw densenetDepthError(numLayers) }
    let net = SymbolBuilder()
    var namer = DenseNamer(prefix: "densenet0_")
    var channels = plan.stem
    var body = try net.convolution(
        .variable("data"), numFilter: channels, kernel: [7, 7], stride: [2, 2], pad: [3, 3], noBias: true,
        name: namer.next("conv"))
    body = try net.normed(body, &namer)
    body = try net.pooling(body, kind: .max, kernel: [3, 3], stride: [2, 2], pad: [1, 1], name: namer.next("pool"))
    for (index, count) in plan.layers.enumerated() {
        var stage = DenseNamer(prefix: "densenet0_stage\(index + 1)_")
        for _ in 0..<count { body = try net.denseLayer(body, growth: plan.growth, dropout: dropout, &stage) }
        channels += count * plan.growth
        // Between the blocks a transition halves the channels and the image.
        if index < plan.layers.count - 1 {
            channels /= 2
            body = try net.convolution(
                net.normed(body, &namer), numFilter: channels, kernel: [1, 1], noBias: true, name: namer.next("conv"))
            body = try net.pooling(body, kind: .avg, kernel: [2, 2], stride: [2, 2], name: namer.next("pool"))
        }
    }
    body = try net.normed(body, &namer)
    body = try net.pooling(body, kind: .avg, kernel: [7, 7], global: true, name: namer.next("pool"))
    body = try net.fullyConnected(net.flatten(body), numHidden: numClasses, name: "densenet0_dense0")
    return try net.softmaxOutput(body, name: "softmax")
}

/// Channels of the stem, growth rate, and layers in each of the four blocks.
private let densenetPlans: [Int: (stem: Int, growth: Int, layers: [Int])] = [
    121: (64, 32, [6, 12, 24, 16]), 161: (96, 48, [6, 12, 36, 24]), 169: (64, 32, [6, 12, 32, 32]),
    201: (64, 32, [6, 12, 48, 32]),
]

let densenetDepths = "one of 121, 161, 169, 201"

private func densenetDepthError(_ numLayers: Int) -> AnnealError {
    AnnealError("--num-layers \(numLayers)", "densenet has no such depth", suggestion: "it must be \(densenetDepths)")
}

/// Numbers the layers of each kind under a prefix, as Gluon does.
private struct DenseNamer {
    let prefix: String
    private var counts: [String: Int] = [:]

    init(prefix: String) { self.prefix = prefix }

    mutating func next(_ kind: String) -> String {
        defer { counts[kind, default: 0] += 1 }
        return "\(prefix)\(kind)\(counts[kind, default: 0])"
    }
}

extension SymbolBuilder {
    fileprivate func normed(_ data: Symbol, _ namer: inout DenseNamer) throws -> Symbol {
        let normed = try batchNorm(data, fixGamma: false, eps: 1e-5, momentum: 0.9, name: namer.next("batchnorm"))
        return try activation(normed, .relu, name: namer.next("relu"))
    }

    /// The data with `growth` new channels appended.
    fileprivate func denseLayer(
        _ data: Symbol, growth: Int, dropout p: Double, _ namer: inout DenseNamer
    ) throws -> Symbol {
        var body = try convolution(
            normed(data, &namer), numFilter: 4 * growth, kernel: [1, 1], noBias: true, name: namer.next("conv"))
        body = try convolution(
            normed(body, &namer), numFilter: growth, kernel: [3, 3], pad: [1, 1], noBias: true, name: namer.next("conv")
        )
        if p > 0 { body = try dropout(body, p: p, name: namer.next("dropout")) }
        return try concat([data, body], name: namer.next("concat"))
    }
}
