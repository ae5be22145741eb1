import AnnealCore
import AnnealGraph

/// The stages of a residual network, as MXNet's `resnet` and `resnext` derive them from depth and image.
struct ResidualPlan {
    /// Units in each stage.
    var units: [Int]
    /// Channels of the stem, then of each stage.
    var filters: [Int]
    var bottleneck: Bool

    /// Units in the four stages of the networks for large images.
    private static let largeImageUnits = [
        18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3],
        200: [3, 24, 36, 3], 269: [3, 30, 48, 8],
    ]

    /// - Parameters:
    ///   - height: of the image.
    ///   - smallHeight: up to here MXNet builds the CIFAR networks' three stages. Up to 32, CIFAR's own height, Anneal
    ///     builds them too for every depth that MXNet has no network for.
    init(_ network: String, numLayers: Int, height: Int, smallHeight: Int) throws {
        let smallImage =
            height <= smallHeight || (height <= 32 && ResidualPlan.largeImageUnits[numLayers] == nil)
        if smallImage, numLayers >= 164, (numLayers - 2) % 9 == 0 {
            units = Array(repeating: (numLayers - 2) / 9, count: 3)
            filters = [16, 64, 128, 256]
            bottleneck = true
        } else if smallImage, (8..<164).contains(numLayers), (numLayers - 2) % 6 == 0 {
            units = Array(repeating: (numLayers - 2) / 6, count: 3)
            filters = [16, 16, 32, 64]
            bottleneck = false
        } else if !smallImage, let stages = ResidualPlan.largeImageUnits[numLayers] {
            units = stages
            bottleneck = numLayers >= 50
            filters = bottleneck ? [64, 256, 512, 1024, 2048] : [64, 64, 128, 256, 512]
        } else {
            throw AnnealError(
                "--num-layers \(numLayers)", "\(network) has no such depth",
                suggestion:
                    "for this image shape it must be \(ResidualPlan.depths(height: height, smallHeight: smallHeight))"
            )
        }
    }

    static func depths(height: Int, smallHeight: Int) -> String {
        let small = "6n+2 below 164 (8, 14, 20, … 158) or 9n+2 from 164 on (164, 173, …)"
        let large = "one of " + largeImageUnits.keys.sorted().map(String.init).joined(separator: ", ")
        if height <= smallHeight { return small }
        return height <= 32 ? "\(large), or else \(small)" : large
    }
}

/// The layers of the residual networks, with the attributes that they all share.
struct ResidualLayers {
    let net = SymbolBuilder()
    /// Has no effect; MXNet's files have it.
    let workspace: Int
    let dtype: NetworkDType

    func norm(_ data: Symbol, fixGamma: Bool = false, name: String) throws -> Symbol {
        try net.batchNorm(data, fixGamma: fixGamma, eps: 2e-5, momentum: 0.9, name: name)
    }

    func relu(_ data: Symbol, name: String) throws -> Symbol { try net.activation(data, .relu, name: name) }

    func convolution(
        _ data: Symbol, _ filters: Int, _ kernel: Int, stride: Int = 1, pad: Int? = nil, numGroup: Int? = nil,
        name: String
    ) throws -> Symbol {
        try net.convolution(
            data, numFilter: filters, kernel: [kernel, kernel], stride: [stride, stride], pad: pad.map { [$0, $0] },
            numGroup: numGroup, noBias: true, workspace: workspace, name: name)
    }

    /// The first convolution; for images above 32 pixels it halves them, and a pooling halves them again.
    func stem(_ data: Symbol, filters: Int, height: Int) throws -> Symbol {
        if height <= 32 { return try convolution(data, filters, 3, pad: 1, name: "conv0") }
        var body = try convolution(data, filters, 7, stride: 2, pad: 3, name: "conv0")
        body = try relu(norm(body, name: "bn0"), name: "relu0")
        return try net.pooling(body, kind: .max, kernel: [3, 3], stride: [2, 2], pad: [1, 1])
    }

    /// Each stage's units, the first of which changes the shape.
    func stages(
        _ data: Symbol, _ plan: ResidualPlan,
        unit: (_ data: Symbol, _ filters: Int, _ stride: Int, _ sameShape: Bool, _ name: String) throws -> Symbol
    ) throws -> Symbol {
        var body = data
        for (stage, count) in plan.units.enumerated() {
            for index in 0..<count {
                let first = index == 0
                body = try unit(
                    body, plan.filters[stage + 1], first && stage > 0 ? 2 : 1, !first,
                    "stage\(stage + 1)_unit\(index + 1)")
            }
        }
        return body
    }

    /// Global average pooling, the fully connected layer and the loss.
    func head(_ data: Symbol, numClasses: Int) throws -> Symbol {
        // MXNet writes a kernel although a global pool has none.
        let pooled = try net.pooling(data, kind: .avg, kernel: [7, 7], global: true, name: "pool1")
        let scores = try net.fullyConnected(net.flatten(pooled), numHidden: numClasses, name: "fc1")
        return try net.softmaxOutput(dtype == .float16 ? net.cast(scores, to: .float32) : scores, name: "softmax")
    }
}

extension SymbolBuilder {
    /// The variable `data` in the network's type, under MXNet's names.
    func typedInput(_ dtype: NetworkDType) throws -> Symbol {
        let data = Symbol.variable("data")
        return try dtype == .float16 ? cast(data, to: .float16) : identity(data, name: "id")
    }
}
