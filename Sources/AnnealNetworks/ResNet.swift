import AnnealGraph

/// He, Zhang, Ren and Sun 2016, Identity mappings in deep residual networks (arXiv:1603.05027); MXNet's `resnet`:
/// batch norm and ReLU come before each convolution.
///
/// - Parameters:
///   - numLayers: up to a height of 28: 6n+2 below 164, or 9n+2 from 164 on; above: 18, 34, 50, 101, 152, 200, 269.
///   - imageShape: channels, height, width.
public func resnet(
    numClasses: Int, numLayers: Int, imageShape: [Int], dtype: NetworkDType = .float32
) throws -> Symbol {
    try checkImageShape(imageShape)
    let plan = try ResidualPlan("resnet", numLayers: numLayers, smallImage: imageShape[1] <= resnetSmallHeight)
    let net = SymbolBuilder()
    var body = net.residualNorm(net.residualInput(dtype), fixGamma: true, name: "bn_data")
    // From 29 to 32 pixels MXNet gives the large images' stages the small images' stem.
    body = net.residualStem(body, filters: plan.filters[0], height: imageShape[1])
    body = net.residualStages(body, plan) { data, filters, stride, sameShape, name in
        net.preActivationUnit(data, filters, stride, sameShape, plan.bottleneck, name)
    }
    body = net.activation(net.residualNorm(body, name: "bn1"), .relu, name: "relu1")
    return net.residualHead(body, numClasses: numClasses, dtype: dtype)
}

let resnetSmallHeight = 28

func resnetDepths(_ imageShape: [Int]) -> String { ResidualPlan.depths(smallImage: imageShape[1] <= resnetSmallHeight) }

extension SymbolBuilder {
    fileprivate func preActivationUnit(
        _ data: Symbol, _ filters: Int, _ stride: Int, _ sameShape: Bool, _ bottleneck: Bool, _ name: String
    ) -> Symbol {
        // (filters, kernel, stride) of each convolution.
        let layers =
            bottleneck
            ? [(filters / 4, 1, 1), (filters / 4, 3, stride), (filters, 1, 1)] : [(filters, 3, stride), (filters, 3, 1)]
        var body = data
        var shortcut = data
        for (index, (filters, kernel, stride)) in layers.enumerated() {
            body = residualNorm(body, name: "\(name)_bn\(index + 1)")
            body = activation(body, .relu, name: "\(name)_relu\(index + 1)")
            // The shortcut branches off behind the first activation when it has a convolution.
            if index == 0, !sameShape { shortcut = body }
            body = residualConvolution(
                body, filters, kernel, stride: stride, pad: kernel / 2, name: "\(name)_conv\(index + 1)")
        }
        if !sameShape { shortcut = residualConvolution(shortcut, filters, 1, stride: stride, name: "\(name)_sc") }
        return add(body, shortcut)
    }
}
