import AnnealGraph

/// Krizhevsky, Sutskever and Hinton 2012, ImageNet classification with deep convolutional neural networks; MXNet's
/// `alexnet`, for images of about 224x224.
public func alexnet(numClasses: Int, dtype: NetworkDType = .float32) throws -> Symbol {
    let net = SymbolBuilder()
    var body = Symbol.variable("data")
    if dtype == .float16 { body = try net.cast(body, to: .float16) }
    for (index, layer) in alexnetLayers.enumerated() {
        body = try net.convolution(
            body, numFilter: layer.filters, kernel: [layer.kernel, layer.kernel],
            stride: layer.stride.map { [$0, $0] }, pad: layer.pad.map { [$0, $0] }, name: "conv\(index + 1)")
        body = try net.activation(body, .relu)
        if layer.normalized { body = try net.lrn(body, alpha: 1e-4, beta: 0.75, knorm: 2, nsize: 5) }
        if layer.pooled { body = try net.pooling(body, kind: .max, kernel: [3, 3], stride: [2, 2]) }
    }
    body = try net.flatten(body)
    for index in 1...2 {
        body = try net.fullyConnected(body, numHidden: 4096, name: "fc\(index)")
        body = try net.dropout(net.activation(body, .relu), p: 0.5)
    }
    body = try net.fullyConnected(body, numHidden: numClasses, name: "fc3")
    if dtype == .float16 { body = try net.cast(body, to: .float32) }
    return try net.softmaxOutput(body, name: "softmax")
}

private let alexnetLayers: [(filters: Int, kernel: Int, stride: Int?, pad: Int?, normalized: Bool, pooled: Bool)] = [
    (96, 11, 4, nil, true, true), (256, 5, nil, 2, true, true), (384, 3, nil, 1, false, false),
    (384, 3, nil, 1, false, false), (256, 3, nil, 1, false, true),
]
