import AnnealGraph

/// Jordan 2024, 94 % on CIFAR-10 in 3.29 seconds (arXiv:2404.00498): the convolutional network of the `airbench94` speed
/// record, made for images of 32x32.
///
/// Its first convolution, `whiten`, is meant to whiten patches of 2x2 pixels and to stay fixed: `--whiten whiten`. Three
/// groups follow of convolution, max pool, norm, GELU, convolution, norm, GELU; the norms' gammas are fixed at 1.
///
/// - Parameter widths: channels of the three groups.
public func airbench(numClasses: Int, widths: [Int] = [64, 256, 256]) throws -> Symbol {
    let net = SymbolBuilder()
    // Twice the 12 values of a patch: each direction and its negative.
    var body = try net.convolution(.variable("data"), numFilter: 24, kernel: [2, 2], name: "whiten")
    body = try net.leakyReLU(body, .gelu, name: "whiten_gelu")
    for (index, width) in widths.enumerated() {
        let group = "group\(index + 1)"
        for half in 1...2 {
            body = try net.convolution(
                body, numFilter: width, kernel: [3, 3], pad: [1, 1], noBias: true, name: "\(group)_conv\(half)")
            if half == 1 {
                body = try net.pooling(body, kind: .max, kernel: [2, 2], stride: [2, 2], name: "\(group)_pool")
            }
            body = try net.batchNorm(body, fixGamma: true, eps: 1e-5, momentum: 0.6, name: "\(group)_bn\(half)")
            body = try net.leakyReLU(body, .gelu, name: "\(group)_gelu\(half)")
        }
    }
    body = try net.pooling(body, kind: .max, kernel: [1, 1], global: true, name: "pool")
    body = try net.fullyConnected(net.flatten(body, name: "flatten"), numHidden: numClasses, noBias: true, name: "fc")
    // Without a norm before it the head would give logits that are too large.
    return try net.softmaxOutput(net.multiply(body, by: 1.0 / 9, name: "scale"), name: "softmax")
}
