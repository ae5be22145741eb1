import AnnealGraph

/// Szegedy, Ioffe, Vanhoucke and Alemi 2016, Inception-v4, Inception-ResNet and the impact of residual connections on
/// learning (arXiv:1602.07261); MXNet's `inception-resnet-v2`, for images of about 299x299.
///
/// Its layers have automatic names, so they are created in the same order as in MXNet's script.
public func inceptionResNetV2(numClasses: Int) throws -> Symbol {
    let net = SymbolBuilder()
    func halve(_ data: Symbol) throws -> Symbol { try net.pooling(data, kind: .max, kernel: [3, 3], stride: [2, 2]) }

    var body = try net.tower(
        .variable("data"), [Layer(32, 3, 3, .halved), Layer(32, 3, 3, .valid), Layer(64, 3, 3)])
    body = try net.tower(halve(body), [Layer(80, 1, 1), Layer(192, 3, 3, .valid)])
    body = try halve(body)

    var towers = try [
        net.tower(body, [Layer(96, 1, 1)]),
        net.tower(body, [Layer(48, 1, 1), Layer(64, 5, 5)]),
        net.tower(body, [Layer(64, 1, 1), Layer(96, 3, 3), Layer(96, 3, 3)]),
    ]
    let averaged = try net.pooling(body, kind: .avg, kernel: [3, 3], stride: [1, 1], pad: [1, 1])
    try towers.append(net.tower(averaged, [Layer(64, 1, 1)]))
    body = try net.concat(towers)
    for _ in 0..<10 { body = try net.residual(body, block35, channels: 320, scale: 0.17) }

    body = try net.concat([
        net.tower(body, [Layer(384, 3, 3, .halved)]),
        net.tower(body, [Layer(256, 1, 1), Layer(256, 3, 3), Layer(384, 3, 3, .halved)]),
        halve(body),
    ])
    for _ in 0..<20 { body = try net.residual(body, block17, channels: 1088, scale: 0.1) }

    body = try net.concat([
        net.tower(body, [Layer(256, 1, 1), Layer(384, 3, 3, .halved)]),
        net.tower(body, [Layer(256, 1, 1), Layer(288, 3, 3, .halved)]),
        net.tower(body, [Layer(256, 1, 1), Layer(288, 3, 3), Layer(320, 3, 3, .halved)]),
        halve(body),
    ])
    for _ in 0..<9 { body = try net.residual(body, block8, channels: 2080, scale: 0.2) }
    body = try net.residual(body, block8, channels: 2080, scale: 1, activated: false)

    body = try net.tower(body, [Layer(1536, 1, 1)])
    body = try net.pooling(body, kind: .avg, kernel: [1, 1], stride: [2, 2], global: true)
    body = try net.dropout(net.flatten(body), p: 0.2)
    return try net.softmaxOutput(net.fullyConnected(body, numHidden: numClasses), name: "softmax")
}

/// Filters, kernel, and padding of a convolution.
private struct Layer {
    enum Border { case padded, valid, halved }
    var filters: Int
    var kernel: [Int]
    var pad: [Int]
    var stride: Int

    init(_ filters: Int, _ height: Int, _ width: Int, _ border: Border = .padded, pad: [Int]? = nil) {
        self.filters = filters
        kernel = [height, width]
        self.pad = pad ?? (border == .padded ? [height / 2, width / 2] : [0, 0])
        stride = border == .halved ? 2 : 1
    }
}

private let block35 = [
    [Layer(32, 1, 1)], [Layer(32, 1, 1), Layer(32, 3, 3)], [Layer(32, 1, 1), Layer(48, 3, 3), Layer(64, 3, 3)],
]
/// MXNet has 129 filters and pads 1x7 by (1, 2) and 7x1 by (2, 1): the image is two rows higher between them.
private let block17 = [
    [Layer(192, 1, 1)], [Layer(129, 1, 1), Layer(160, 1, 7, pad: [1, 2]), Layer(192, 7, 1, pad: [2, 1])],
]
private let block8 = [[Layer(192, 1, 1)], [Layer(192, 1, 1), Layer(224, 1, 3), Layer(256, 3, 1)]]

extension SymbolBuilder {
    private func unit(_ data: Symbol, _ layer: Layer, activated: Bool = true) throws -> Symbol {
        let normed = try batchNorm(
            convolution(
                data, numFilter: layer.filters, kernel: layer.kernel, stride: [layer.stride, layer.stride],
                pad: layer.pad))
        return try activated ? activation(normed, .relu) : normed
    }

    fileprivate func tower(_ data: Symbol, _ layers: [Layer]) throws -> Symbol {
        try layers.reduce(data) { try unit($0, $1) }
    }

    /// The data plus `scale` times the towers, brought back to the data's channels.
    fileprivate func residual(
        _ data: Symbol, _ towers: [[Layer]], channels: Int, scale: Double, activated: Bool = true
    ) throws -> Symbol {
        let mixed = try unit(concat(towers.map { try tower(data, $0) }), Layer(channels, 1, 1), activated: false)
        let sum = try add(data, multiply(mixed, by: scale))
        return try activated ? activation(sum, .relu) : sum
    }
}
