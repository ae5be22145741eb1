import AnnealGraph

/// Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2015, Rethinking the Inception architecture for computer vision
/// (arXiv:1512.00567); MXNet's `inception-v3`, for images of about 299x299.
public func inceptionV3(numClasses: Int, dtype: NetworkDType = .float32) throws -> Symbol {
    let net = SymbolBuilder()
    var body = try net.typedInput(dtype)
    body = try net.convolutionUnit(body, 32, [3, 3], stride: 2, name: "conv")
    body = try net.convolutionUnit(body, 32, [3, 3], name: "conv_1")
    body = try net.convolutionUnit(body, 64, [3, 3], pad: [1, 1], name: "conv_2")
    body = try net.pooling(body, kind: .max, kernel: [3, 3], stride: [2, 2], name: "pool")
    body = try net.convolutionUnit(body, 80, name: "conv_3")
    body = try net.convolutionUnit(body, 192, [3, 3], name: "conv_4")
    body = try net.pooling(body, kind: .max, kernel: [3, 3], stride: [2, 2], name: "pool1")

    for (index, project) in [32, 64, 64].enumerated() {
        body = try net.squareModule(body, project: project, name: index == 0 ? "mixed" : "mixed_\(index)")
    }
    body = try net.squareReduction(body, name: "mixed_3")
    for (index, width) in [128, 160, 160, 192].enumerated() {
        body = try net.factorisedModule(body, width: width, name: "mixed_\(index + 4)")
    }
    body = try net.factorisedReduction(body, name: "mixed_8")
    body = try net.wideModule(body, pool: .avg, name: "mixed_9")
    body = try net.wideModule(body, pool: .max, name: "mixed_10")

    body = try net.pooling(body, kind: .avg, kernel: [8, 8], stride: [1, 1], name: "global_pool")
    body = try net.fullyConnected(net.flatten(body, name: "flatten"), numHidden: numClasses, name: "fc1")
    if dtype == .float16 { body = try net.cast(body, to: .float32) }
    return try net.softmaxOutput(body, name: "softmax")
}

/// Names: the first convolution of a tower is TOWER_conv, the next ones TOWER_conv_1 and so on.
extension SymbolBuilder {
    /// Convolutions one after another; those that keep the image's size are padded.
    private func tower(
        _ data: Symbol, _ layers: [(filters: Int, kernel: [Int])], halving: Bool = false, name: String
    ) throws -> Symbol {
        var body = data
        for (index, layer) in layers.enumerated() {
            let halves = halving && index == layers.count - 1
            body = try convolutionUnit(
                body, layer.filters, layer.kernel, stride: halves ? 2 : 1,
                pad: halves ? [0, 0] : layer.kernel.map { $0 / 2 },
                name: index == 0 ? "\(name)_conv" : "\(name)_conv_\(index)")
        }
        return body
    }

    private func pooledProjection(_ data: Symbol, _ kind: Pooling.Kind, _ filters: Int, name: String) throws -> Symbol {
        let pooled = try pooling(
            data, kind: kind, kernel: [3, 3], stride: [1, 1], pad: [1, 1],
            name: "\(kind.rawValue)_pool_\(name)_pool")
        return try tower(pooled, [(filters, [1, 1])], name: "\(name)_tower_2")
    }

    private func halvingPool(_ data: Symbol, pad: [Int]?, name: String) throws -> Symbol {
        try pooling(data, kind: .max, kernel: [3, 3], stride: [2, 2], pad: pad, name: "max_pool_\(name)_pool")
    }

    private func joined(_ towers: [Symbol], name: String) throws -> Symbol {
        try concat(towers, name: "ch_concat_\(name)_chconcat")
    }

    /// Figure 5 of the paper: 1x1, 5x5, two 3x3, a pool.
    fileprivate func squareModule(_ data: Symbol, project: Int, name: String) throws -> Symbol {
        try joined(
            [
                tower(data, [(64, [1, 1])], name: name),
                tower(data, [(48, [1, 1]), (64, [5, 5])], name: "\(name)_tower"),
                tower(data, [(64, [1, 1]), (96, [3, 3]), (96, [3, 3])], name: "\(name)_tower_1"),
                pooledProjection(data, .avg, project, name: name),
            ], name: name)
    }

    fileprivate func squareReduction(_ data: Symbol, name: String) throws -> Symbol {
        try joined(
            [
                tower(data, [(384, [3, 3])], halving: true, name: name),
                tower(data, [(64, [1, 1]), (96, [3, 3]), (96, [3, 3])], halving: true, name: "\(name)_tower"),
                halvingPool(data, pad: [0, 0], name: name),
            ], name: name)
    }

    /// Figure 6: 7x7 convolutions in their two factors.
    fileprivate func factorisedModule(_ data: Symbol, width: Int, name: String) throws -> Symbol {
        try joined(
            [
                tower(data, [(192, [1, 1])], name: name),
                tower(data, [(width, [1, 1]), (width, [1, 7]), (192, [7, 1])], name: "\(name)_tower"),
                tower(
                    data,
                    [(width, [1, 1]), (width, [7, 1]), (width, [1, 7]), (width, [7, 1]), (192, [1, 7])],
                    name: "\(name)_tower_1"),
                pooledProjection(data, .avg, 192, name: name),
            ], name: name)
    }

    fileprivate func factorisedReduction(_ data: Symbol, name: String) throws -> Symbol {
        try joined(
            [
                tower(data, [(192, [1, 1]), (320, [3, 3])], halving: true, name: "\(name)_tower"),
                tower(
                    data, [(192, [1, 1]), (192, [1, 7]), (192, [7, 1]), (192, [3, 3])], halving: true,
                    name: "\(name)_tower_1"),
                halvingPool(data, pad: nil, name: name),
            ], name: name)
    }

    /// Figure 7: two towers that end in a 1x3 and a 3x1 side by side.
    fileprivate func wideModule(_ data: Symbol, pool: Pooling.Kind, name: String) throws -> Symbol {
        func forked(_ data: Symbol, name: String) throws -> [Symbol] {
            try [
                convolutionUnit(data, 384, [1, 3], pad: [0, 1], name: "\(name)_mixed_conv"),
                convolutionUnit(data, 384, [3, 1], pad: [1, 0], name: "\(name)_mixed_conv_1"),
            ]
        }
        let one = try tower(data, [(320, [1, 1])], name: name)
        let first = try tower(data, [(384, [1, 1])], name: "\(name)_tower")
        let second = try tower(data, [(448, [1, 1]), (384, [3, 3])], name: "\(name)_tower_1")
        return try joined(
            [one] + forked(first, name: "\(name)_tower") + forked(second, name: "\(name)_tower_1")
                + [pooledProjection(data, pool, 192, name: name)], name: name)
    }
}
