import AnnealCore
import AnnealGraph

/// Xie, Girshick, Dollár, Tu and He 2017, Aggregated residual transformations for deep neural networks
/// (arXiv:1611.05431); MXNet's `resnext`.
///
/// The network for large images also takes small ones, since its pool is global: build it with 3,224,224 and feed
/// 3,28,28.
///
/// - Parameters:
///   - numLayers: up to a height of 32: 6n+2 below 164, or 9n+2 from 164 on; above: 18, 34, 50, 101, 152, 200, 269.
///   - imageShape: channels, height, width.
///   - numGroup: the groups of the middle convolution; units of two convolutions (depths below 50, and below 164 for
///     small images) have none.
public func resnext(
    numClasses: Int, numLayers: Int, imageShape: [Int], numGroup: Int = 32, dtype: NetworkDType = .float32,
    convWorkspace: Int = 256
) throws -> Symbol {
    try checkImageShape(imageShape)
    let plan = try ResidualPlan(
        "resnext", numLayers: numLayers, height: imageShape[1], smallHeight: resnextSmallHeight)
    // The narrowest middle convolution is half of the first stage: the others are multiples of it.
    guard !plan.bottleneck || numGroup > 0 && plan.filters[1] / 2 % numGroup == 0 else {
        throw AnnealError(
            "num_group \(numGroup)", "does not divide the \(plan.filters[1] / 2) channels of the first stage",
            suggestion: "MXNet's default is 32")
    }
    let layers = ResidualLayers(workspace: convWorkspace, dtype: dtype)
    var body = try layers.norm(layers.net.typedInput(dtype), fixGamma: true, name: "bn_data")
    body = try layers.stem(body, filters: plan.filters[0], height: imageShape[1])
    body = try layers.stages(body, plan) { data, filters, stride, sameShape, name in
        try layers.aggregatedUnit(data, filters, stride, sameShape, plan.bottleneck ? numGroup : nil, name)
    }
    return try layers.head(body, numClasses: numClasses)
}

private let resnextSmallHeight = 32

func resnextDepths(_ imageShape: [Int]) -> String {
    ResidualPlan.depths(height: imageShape[1], smallHeight: resnextSmallHeight)
}

extension ResidualLayers {
    /// - Parameter numGroup: nil for a unit of two plain convolutions.
    fileprivate func aggregatedUnit(
        _ data: Symbol, _ filters: Int, _ stride: Int, _ sameShape: Bool, _ numGroup: Int?, _ name: String
    ) throws -> Symbol {
        // (filters, kernel, stride, groups) of each convolution.
        let convolutions: [(Int, Int, Int, Int?)] =
            numGroup == nil
            ? [(filters, 3, stride, nil), (filters, 3, 1, nil)]
            : [(filters / 2, 1, 1, nil), (filters / 2, 3, stride, numGroup), (filters, 1, 1, nil)]
        var body = data
        for (index, (filters, kernel, stride, groups)) in convolutions.enumerated() {
            if index > 0 { body = try relu(body, name: "\(name)_relu\(index)") }
            body = try convolution(
                body, filters, kernel, stride: stride, pad: kernel / 2, numGroup: groups,
                name: "\(name)_conv\(index + 1)")
            body = try norm(body, name: "\(name)_bn\(index + 1)")
        }
        var shortcut = data
        if !sameShape {
            shortcut = try convolution(data, filters, 1, stride: stride, name: "\(name)_sc")
            shortcut = try norm(shortcut, name: "\(name)_sc_bn")
        }
        return try relu(net.add(body, shortcut), name: "\(name)_relu")
    }
}
