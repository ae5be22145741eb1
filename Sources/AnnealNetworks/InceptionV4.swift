import AnnealGraph

/// Szegedy, Ioffe, Vanhoucke and Alemi 2016, Inception-v4, Inception-ResNet and the impact of residual connections on
/// learning (arXiv:1602.07261); MXNet's `inception-v4`, for images of about 299x299.
public func inceptionV4(numClasses: Int, dtype: NetworkDType = .float32) throws -> Symbol {
    let net = SymbolBuilder()
    var body = try net.stem(net.typedInput(dtype))
    for index in 1...4 { body = try net.moduleA(body, name: "in\(index)A") }
    body = try net.reductionA(body, name: "re1A")
    for index in 1...7 { body = try net.moduleB(body, name: "in\(index)B") }
    body = try net.reductionB(body, name: "re1B")
    for index in 1...3 { body = try net.moduleC(body, name: "in\(index)C") }

    body = try net.pooling(body, kind: .avg, kernel: [8, 8], pad: [1, 1], name: "global_avgpool")
    body = try net.flatten(net.dropout(body, p: 0.2), name: "flatten")
    body = try net.fullyConnected(body, numHidden: numClasses, name: "fc1")
    if dtype == .float16 { body = try net.cast(body, to: .float32) }
    return try net.softmaxOutput(body, name: "softmax")
}

/// One convolution of a module: its number and kernel as in the name (`conv4_1*7`; some of MXNet's names have the
/// kernel's sides swapped), filters, kernel and padding.
private struct Layer {
    enum Border { case padded, valid, halved }
    var label: String
    var filters: Int
    var kernel: [Int]
    var border: Border

    init(_ label: String, _ filters: Int, _ height: Int, _ width: Int, _ border: Border = .padded) {
        self.label = label
        self.filters = filters
        kernel = [height, width]
        self.border = border
    }
}

extension SymbolBuilder {
    private func tower(_ data: Symbol, _ layers: [Layer], name: String) throws -> Symbol {
        try layers.reduce(data) { body, layer in
            try convolutionUnit(
                body, layer.filters, layer.kernel, stride: layer.border == .halved ? 2 : 1,
                pad: layer.border == .padded ? layer.kernel.map { $0 / 2 } : [0, 0], name: "\(name)_conv\(layer.label)")
        }
    }

    private func averaged(_ data: Symbol, name: String) throws -> Symbol {
        try pooling(data, kind: .avg, kernel: [3, 3], pad: [1, 1], name: "\(name)_avgpool_1")
    }

    private func halved(_ data: Symbol, _ number: Int = 1, name: String) throws -> Symbol {
        try pooling(data, kind: .max, kernel: [3, 3], stride: [2, 2], name: "\(name)_maxpool_\(number)")
    }

    /// Figure 3 of the paper.
    fileprivate func stem(_ data: Symbol) throws -> Symbol {
        let name = "in_stem"
        var body = try tower(
            data, [Layer("1_3*3", 32, 3, 3, .halved), Layer("2_3*3", 32, 3, 3, .valid), Layer("3_3*3", 64, 3, 3)],
            name: name)
        body = try concat(
            [halved(body, 1, name: name), tower(body, [Layer("4_3*3", 96, 3, 3, .halved)], name: name)],
            name: "\(name)_concat_1")
        body = try concat(
            [
                tower(body, [Layer("5_1*1", 64, 1, 1), Layer("6_3*3", 96, 3, 3, .valid)], name: name),
                tower(
                    body,
                    [
                        Layer("7_1*1", 64, 1, 1), Layer("8_7*1", 64, 7, 1), Layer("9_1*7", 64, 1, 7),
                        Layer("10_3*3", 96, 3, 3, .valid),
                    ], name: name),
            ], name: "\(name)_concat_2")
        return try concat(
            [tower(body, [Layer("11_3*3", 192, 3, 3, .halved)], name: name), halved(body, 2, name: name)],
            name: "\(name)_concat_3")
    }

    fileprivate func moduleA(_ data: Symbol, name: String) throws -> Symbol {
        try concat(
            [
                tower(averaged(data, name: name), [Layer("1_1*1", 96, 1, 1)], name: name),
                tower(data, [Layer("2_1*1", 96, 1, 1)], name: name),
                tower(data, [Layer("3_1*1", 64, 1, 1), Layer("4_3*3", 96, 3, 3)], name: name),
                tower(
                    data, [Layer("5_1*1", 64, 1, 1), Layer("6_3*3", 96, 3, 3), Layer("7_3*3", 96, 3, 3)], name: name),
            ], name: "\(name)_concat_1")
    }

    fileprivate func reductionA(_ data: Symbol, name: String) throws -> Symbol {
        try concat(
            [
                halved(data, name: name),
                tower(data, [Layer("1_3*3", 384, 3, 3, .halved)], name: name),
                tower(
                    data,
                    [Layer("2_1*1", 192, 1, 1), Layer("3_3*3", 224, 3, 3), Layer("4_3*3", 256, 3, 3, .halved)],
                    name: name),
            ], name: "\(name)_concat_1")
    }

    fileprivate func moduleB(_ data: Symbol, name: String) throws -> Symbol {
        try concat(
            [
                tower(averaged(data, name: name), [Layer("1_1*1", 128, 1, 1)], name: name),
                tower(data, [Layer("2_1*1", 384, 1, 1)], name: name),
                tower(
                    data, [Layer("3_1*1", 192, 1, 1), Layer("4_1*7", 224, 1, 7), Layer("5_1*7", 256, 7, 1)],
                    name: name),
                tower(
                    data,
                    [
                        Layer("6_1*1", 192, 1, 1), Layer("7_1*7", 192, 1, 7), Layer("8_7*1", 224, 7, 1),
                        Layer("9_1*7", 224, 1, 7), Layer("10_7*1", 256, 7, 1),
                    ], name: name),
            ], name: "\(name)_concat_1")
    }

    fileprivate func reductionB(_ data: Symbol, name: String) throws -> Symbol {
        try concat(
            [
                halved(data, name: name),
                tower(data, [Layer("1_1*1", 192, 1, 1), Layer("2_3*3", 192, 3, 3, .halved)], name: name),
                tower(
                    data,
                    [
                        Layer("3_1*1", 256, 1, 1), Layer("4_1*7", 256, 1, 7), Layer("5_7*1", 320, 7, 1),
                        Layer("6_3*3", 320, 3, 3, .halved),
                    ], name: name),
            ], name: "\(name)_concat_1")
    }

    fileprivate func moduleC(_ data: Symbol, name: String) throws -> Symbol {
        let pooled = try tower(averaged(data, name: name), [Layer("1_1*1", 256, 1, 1)], name: name)
        let one = try tower(data, [Layer("2_1*1", 256, 1, 1)], name: name)
        let short = try tower(data, [Layer("3_1*1", 384, 1, 1)], name: name)
        let long = try tower(
            data, [Layer("6_1*1", 384, 1, 1), Layer("7_1*3", 448, 1, 3), Layer("8_3*1", 512, 3, 1)], name: name)
        return try concat(
            [
                pooled, one,
                tower(short, [Layer("4_3*1", 256, 1, 3)], name: name),
                tower(short, [Layer("5_1*3", 256, 3, 1)], name: name),
                tower(long, [Layer("9_1*3", 256, 3, 1)], name: name),
                tower(long, [Layer("10_3*1", 256, 1, 3)], name: name),
            ], name: "\(name)_concat")
    }
}
