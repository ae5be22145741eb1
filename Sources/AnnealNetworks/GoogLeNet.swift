import AnnealGraph

/// Szegedy et al. 2014, Going deeper with convolutions (arXiv:1409.4842); MXNet's `googlenet`, without the paper's
/// auxiliary classifiers.
public func googlenet(numClasses: Int) throws -> Symbol {
    let net = SymbolBuilder()
    func halve(_ data: Symbol) throws -> Symbol { try net.pooling(data, kind: .max, kernel: [3, 3], stride: [2, 2]) }

    var body = try net.inceptionUnit(.variable("data"), 64, 7, stride: 2, name: "conv1")
    body = try net.inceptionUnit(halve(body), 64, 1, name: "conv2")
    body = try halve(net.inceptionUnit(body, 192, 3, name: "conv3"))
    for (name, widths) in googlenetModules {
        body = try net.googlenetModule(body, widths, name: "in\(name)")
        // The image is halved after the third and the fourth stage.
        if name == "3b" || name == "4e" { body = try halve(body) }
    }
    body = try net.pooling(body, kind: .avg, kernel: [7, 7], stride: [1, 1], global: true)
    body = try net.fullyConnected(net.flatten(body), numHidden: numClasses)
    return try net.softmaxOutput(body, name: "softmax")
}

/// Channels of a module: 1x1; 3x3 with the reduction before it; 5x5 in the same way; the projection of the pool.
private typealias Widths = (one: Int, threeReduce: Int, three: Int, fiveReduce: Int, five: Int, project: Int)

private let googlenetModules: [(String, Widths)] = [
    ("3a", (64, 96, 128, 16, 32, 32)), ("3b", (128, 128, 192, 32, 96, 64)),
    ("4a", (192, 96, 208, 16, 48, 64)), ("4b", (160, 112, 224, 24, 64, 64)), ("4c", (128, 128, 256, 24, 64, 64)),
    ("4d", (112, 144, 288, 32, 64, 64)), ("4e", (256, 160, 320, 32, 128, 128)),
    ("5a", (256, 160, 320, 32, 128, 128)), ("5b", (384, 192, 384, 48, 128, 128)),
]

extension SymbolBuilder {
    fileprivate func inceptionUnit(
        _ data: Symbol, _ filters: Int, _ kernel: Int, stride: Int = 1, name: String
    ) throws -> Symbol {
        let pad = kernel / 2
        let convolved = try convolution(
            data, numFilter: filters, kernel: [kernel, kernel], stride: [stride, stride], pad: [pad, pad],
            name: "conv_\(name)")
        return try activation(convolved, .relu, name: "relu_\(name)")
    }

    fileprivate func googlenetModule(_ data: Symbol, _ widths: Widths, name: String) throws -> Symbol {
        let one = try inceptionUnit(data, widths.one, 1, name: "\(name)_1x1")
        var three = try inceptionUnit(data, widths.threeReduce, 1, name: "\(name)_3x3_reduce")
        three = try inceptionUnit(three, widths.three, 3, name: "\(name)_3x3")
        var five = try inceptionUnit(data, widths.fiveReduce, 1, name: "\(name)_5x5_reduce")
        five = try inceptionUnit(five, widths.five, 5, name: "\(name)_5x5")
        var pooled = try pooling(
            data, kind: .max, kernel: [3, 3], stride: [1, 1], pad: [1, 1], name: "max_pool_\(name)_pool")
        pooled = try inceptionUnit(pooled, widths.project, 1, name: "\(name)_proj")
        return try concat([one, three, five, pooled], name: "ch_concat_\(name)_chconcat")
    }
}
