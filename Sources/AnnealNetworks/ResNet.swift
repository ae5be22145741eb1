import AnnealGraph

/// He, Zhang, Ren and Sun 2016, Identity mappings in deep residual networks (arXiv:1603.05027); MXNet's `resnet`:
/// batch norm and ReLU come before each convolution.
///
/// - Parameters:
///   - numLayers: up to a height of 28: 6n+2 below 164, or 9n+2 from 164 on; above: 18, 34, 50, 101, 152, 200, 269.
///     Heights of 29 to 32 take both; a depth that is in both lists has the second meaning, as in MXNet.
///   - imageShape: channels, height, width.
public func resnet(
    numClasses: Int, numLayers: Int, imageShape: [Int], dtype: NetworkDType = .float32,
    convWorkspace: Int = 256
) throws -> Symbol {
    try checkImageShape(imageShape)
    let plan = try ResidualPlan(
        "resnet", numLayers: numLayers, height: imageShape[1], smallHeight: resnetSmallHeight)
    let layers = ResidualLayers(workspace: convWorkspace, dtype: dtype)
    var body = try layers.norm(layers.net.typedInput(dtype), fixGamma: true, name: "bn_data")
    // From 29 to 32 pixels MXNet combines the stages for large images with the stem for small ones.
    body = try layers.stem(body, filters: plan.filters[0], height: imageShape[1])
    body = try layers.stages(body, plan) { data, filters, stride, sameShape, name in
        try layers.preActivationUnit(data, filters, stride, sameShape, plan.bottleneck, name)
    }
    body = try layers.relu(layers.norm(body, name: "bn1"), name: "relu1")
    return try layers.head(body, numClasses: numClasses)
}

let resnetSmallHeight = 28

func resnetDepths(_ imageShape: [Int]) -> String {
    ResidualPlan.depths(height: imageShape[1], smallHeight: resnetSmallHeight)
}

extension ResidualLayers {
    fileprivate func preActivationUnit(
        _ data: Symbol, _ filters: Int, _ stride: Int, _ sameShape: Bool, _ bottleneck: Bool, _ name: String
    ) throws -> Symbol {
        // (filters, kernel, stride) of each convolution.
        let convolutions =
            bottleneck
            ? [(filters / 4, 1, 1), (filters / 4, 3, stride), (filters, 1, 1)]
            : [(filters, 3, stride), (filters, 3, 1)]
        var body = data
        var shortcut = data
        for (index, (filters, kernel, stride)) in convolutions.enumerated() {
            body = try norm(body, name: "\(name)_bn\(index + 1)")
            body = try relu(body, name: "\(name)_relu\(index + 1)")
            // The shortcut branches off after the first activation when it has a convolution.
            if index == 0, !sameShape { shortcut = body }
            body = try convolution(
                body, filters, kernel, stride: stride, pad: kernel / 2, name: "\(name)_conv\(index + 1)")
        }
        if !sameShape { shortcut = try convolution(shortcut, filters, 1, stride: stride, name: "\(name)_sc") }
        return try net.add(body, shortcut)
    }
}
