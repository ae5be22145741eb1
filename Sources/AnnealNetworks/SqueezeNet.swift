import AnnealGraph

/// Iandola et al. 2016, SqueezeNet: AlexNet-level accuracy with 50x fewer parameters (arXiv:1602.07360).
///
/// MXNet's example has none: this is Gluon's `squeezenet1.0` and `squeezenet1.1`, under Gluon's parameter names
/// (`squeezenet0_conv0_weight`). The last pool is global; for 224x224 images it is Gluon's 13x13.
public func squeezenet(numClasses: Int, version: SqueezeNetVersion = .v1_1) throws -> Symbol {
    let net = SymbolBuilder()
    var count = 0
    func unit(_ data: Symbol, _ filters: Int, _ kernel: Int, stride: Int? = nil, pad: Int? = nil) throws -> Symbol {
        defer { count += 1 }
        let convolved = try net.convolution(
            data, numFilter: filters, kernel: [kernel, kernel], stride: stride.map { [$0, $0] },
            pad: pad.map { [$0, $0] }, name: "squeezenet0_conv\(count)")
        return try net.activation(convolved, .relu, name: "squeezenet0_relu\(count)")
    }
    func halve(_ data: Symbol) throws -> Symbol {
        try net.pooling(data, kind: .max, kernel: [3, 3], stride: [2, 2], convention: "full")
    }

    var body = try unit(.variable("data"), version.stem.filters, version.stem.kernel, stride: 2)
    for stage in version.stages {
        body = try halve(body)
        for squeeze in stage {
            // A fire module: few channels, then four times as many by 1x1 and as many again by 3x3.
            let narrow = try unit(body, squeeze, 1)
            body = try net.concat([unit(narrow, 4 * squeeze, 1), unit(narrow, 4 * squeeze, 3, pad: 1)])
        }
    }
    body = try unit(net.dropout(body, p: 0.5), numClasses, 1)
    body = try net.flatten(net.pooling(body, kind: .avg, kernel: [13, 13], global: true))
    return try net.softmaxOutput(body, name: "softmax")
}

/// The two published versions of SqueezeNet.
public enum SqueezeNetVersion: String, CaseIterable, Sendable {
    case v1_0 = "1.0"
    /// Less than half of the multiplications of 1.0 at the same accuracy.
    case v1_1 = "1.1"

    fileprivate var stem: (filters: Int, kernel: Int) { self == .v1_0 ? (96, 7) : (64, 3) }

    /// The squeeze channels of the fire modules between the pools.
    fileprivate var stages: [[Int]] {
        self == .v1_0 ? [[16, 16, 32], [32, 48, 48, 64], [64]] : [[16, 16], [32, 32], [48, 48, 64, 64]]
    }
}
