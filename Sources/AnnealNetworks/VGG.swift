import AnnealCore
import AnnealGraph

/// Simonyan and Zisserman 2014, Very deep convolutional networks for large-scale image recognition (arXiv:1409.1556);
/// MXNet's `vgg`.
///
/// - Parameters:
///   - numLayers: 11, 13, 16 or 19.
///   - batchNorm: adds batch norm before each ReLU of the convolutions.
public func vgg(
    numClasses: Int, numLayers: Int = 11, batchNorm: Bool = false, dtype: NetworkDType = .float32
) throws -> Symbol {
    guard let counts = vggConvolutions[numLayers] else {
        throw AnnealError(
            "--num-layers \(numLayers)", "vgg has no such depth",
            suggestion: "it must be one of " + vggConvolutions.keys.sorted().map(String.init).joined(separator: ", "))
    }
    let net = SymbolBuilder()
    var body = Symbol.variable("data")
    if dtype == .float16 { body = try net.cast(body, to: .float16) }
    for (stage, (count, filters)) in zip(counts, [64, 128, 256, 512, 512]).enumerated() {
        for index in 1...count {
            let place = "\(stage + 1)_\(index)"
            body = try net.convolution(body, numFilter: filters, kernel: [3, 3], pad: [1, 1], name: "conv\(place)")
            if batchNorm { body = try net.batchNorm(body, name: "bn\(place)") }
            body = try net.activation(body, .relu, name: "relu\(place)")
        }
        body = try net.pooling(body, kind: .max, kernel: [2, 2], stride: [2, 2], name: "pool\(stage + 1)")
    }
    body = try net.flatten(body, name: "flatten")
    for index in 6...7 {
        body = try net.fullyConnected(body, numHidden: 4096, name: "fc\(index)")
        body = try net.activation(body, .relu, name: "relu\(index)")
        body = try net.dropout(body, p: 0.5, name: "drop\(index)")
    }
    body = try net.fullyConnected(body, numHidden: numClasses, name: "fc8")
    if dtype == .float16 { body = try net.cast(body, to: .float32) }
    return try net.softmaxOutput(body, name: "softmax")
}

/// Convolutions in each of the five stages.
private let vggConvolutions = [
    11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4],
]
