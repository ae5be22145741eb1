import AnnealGraph

/// LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition; MXNet's `lenet`.
///
/// - Parameter addSTN: straighten the image first, by a spatial transformer (Jaderberg et al. 2015, arXiv:1506.02025) to
///    28x28.
public func lenet(numClasses: Int, addSTN: Bool = false) throws -> Symbol {
    let net = SymbolBuilder()
    var body = Symbol.variable("data")
    if addSTN { body = try net.spatialTransformer(body, loc: net.localisation(body), targetShape: [28, 28]) }
    for filters in [20, 50] {
        body = try net.convolution(body, numFilter: filters, kernel: [5, 5])
        body = try net.activation(body, .tanh)
        body = try net.pooling(body, kind: .max, kernel: [2, 2], stride: [2, 2])
    }
    body = try net.fullyConnected(net.flatten(body), numHidden: 500)
    body = try net.fullyConnected(net.activation(body, .tanh), numHidden: numClasses)
    return try net.softmaxOutput(body, name: "softmax")
}

extension SymbolBuilder {
    /// The six numbers of an affine map, learned at a hundredth of the rate.
    fileprivate func localisation(_ data: Symbol) throws -> Symbol {
        var body = try convolution(data, numFilter: 30, kernel: [5, 5], stride: [2, 2])
        body = try pooling(activation(body, .relu), kind: .max, kernel: [2, 2], stride: [2, 2])
        body = try convolution(body, numFilter: 60, kernel: [3, 3], stride: [1, 1], pad: [1, 1])
        body = try pooling(activation(body, .relu), kind: .avg, kernel: [2, 2], global: true)
        return try apply(
            FullyConnected.name, name: "stn_loc", inputs: [flatten(body)],
            attributes: ["num_hidden": "6", "__lr_mult__": "0.01"])
    }
}
