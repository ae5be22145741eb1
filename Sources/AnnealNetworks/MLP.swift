import AnnealGraph

/// A perceptron with two hidden layers of 128 and 64 units; MXNet's `mlp`.
public func mlp(numClasses: Int) throws -> Symbol {
    let net = SymbolBuilder()
    var body = try net.flatten(.variable("data"))
    for (index, units) in [128, 64].enumerated() {
        body = try net.fullyConnected(body, numHidden: units, name: "fc\(index + 1)")
        body = try net.activation(body, .relu, name: "relu\(index + 1)")
    }
    body = try net.fullyConnected(body, numHidden: numClasses, name: "fc3")
    return try net.softmaxOutput(body, name: "softmax")
}
