import AnnealGraph

/// LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition; MXNet's `lenet`.
public func lenet(numClasses: Int) -> Symbol {
    let net = SymbolBuilder()
    var body = Symbol.variable("data")
    for filters in [20, 50] {
        body = net.convolution(body, numFilter: filters, kernel: [5, 5])
        body = net.activation(body, .tanh)
        body = net.pooling(body, kind: .max, kernel: [2, 2], stride: [2, 2])
    }
    body = net.fullyConnected(net.flatten(body), numHidden: 500)
    body = net.fullyConnected(net.activation(body, .tanh), numHidden: numClasses)
    return net.softmaxOutput(body, name: "softmax")
}
