import AnnealGraph

/// He, Zhang, Ren and Sun 2015, Deep residual learning for image recognition (arXiv:1512.03385); MXNet's `resnet-v1`
/// and `resnetv1`: batch norm and ReLU come after each convolution.
///
/// - Parameters:
///   - numLayers: up to a height of 28: 6n+2 below 164, or 9n+2 from 164 on; above: 18, 34, 50, 101, 152, 200, 269.
///     Heights of 29 to 32 take both; a depth that is in both lists has the second meaning, as in MXNet.
///   - imageShape: channels, height, width.
public func resnetV1(
    numClasses: Int, numLayers: Int, imageShape: [Int], dtype: NetworkDType = .float32,
    convWorkspace: Int = 256
) throws -> Symbol {
    try checkImageShape(imageShape)
    let plan = try ResidualPlan(
        "resnet-v1", numLayers: numLayers, height: imageShape[1], smallHeight: resnetSmallHeight)
    let layers = ResidualLayers(workspace: convWorkspace, dtype: dtype)
    var body = try layers.stem(layers.net.typedInput(dtype), filters: plan.filters[0], height: imageShape[1])
    // The large images' stem has this batch norm already.
    if imageShape[1] <= 32 { body = try layers.norm(body, name: "bn0") }
    body = try layers.stages(body, plan) { data, filters, stride, sameShape, name in
        try layers.postActivationUnit(data, filters, stride, sameShape, plan.bottleneck, name)
    }
    return try layers.head(body, numClasses: numClasses)
}

extension ResidualLayers {
    fileprivate func postActivationUnit(
        _ data: Symbol, _ filters: Int, _ stride: Int, _ sameShape: Bool, _ bottleneck: Bool, _ name: String
    ) throws -> Symbol {
        // (filters, kernel, stride) of each convolution; here the first of a bottleneck has the stride.
        let convolutions =
            bottleneck
            ? [(filters / 4, 1, stride), (filters / 4, 3, 1), (filters, 1, 1)]
            : [(filters, 3, stride), (filters, 3, 1)]
        var body = data
        for (index, (filters, kernel, stride)) in convolutions.enumerated() {
            if index > 0 { body = try relu(body, name: "\(name)_relu\(index)") }
            body = try convolution(
                body, filters, kernel, stride: stride, pad: kernel / 2, name: "\(name)_conv\(index + 1)")
            body = try norm(body, name: "\(name)_bn\(index + 1)")
        }
        var shortcut = data
        if !sameShape {
            shortcut = try convolution(data, filters, 1, stride: stride, name: "\(name)_conv1sc")
            shortcut = try norm(shortcut, name: "\(name)_sc")
        }
        return try relu(net.add(body, shortcut), name: "\(name)_relu3")
    }
}
