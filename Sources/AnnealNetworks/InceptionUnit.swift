import AnnealGraph

extension SymbolBuilder {
    /// Convolution, batch norm and ReLU as Inception v3, v4 and MobileNet name them: `NAME_conv2d`, `NAME_batchnorm`,
    /// `NAME_relu`.
    func convolutionUnit(
        _ data: Symbol, _ filters: Int, _ kernel: [Int] = [1, 1], stride: Int = 1, pad: [Int] = [0, 0],
        numGroup: Int? = nil, name: String
    ) throws -> Symbol {
        let convolved = try convolution(
            data, numFilter: filters, kernel: kernel, stride: [stride, stride], pad: pad, numGroup: numGroup,
            noBias: true, name: "\(name)_conv2d")
        return try activation(
            batchNorm(convolved, fixGamma: true, name: "\(name)_batchnorm"), .relu, name: "\(name)_relu")
    }
}
