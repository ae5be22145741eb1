import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import COneDNN

// Convolutions run in oneDNN, except where our own kernels are faster.

extension Convolution: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        try layouts(request, post: anneal_post())
    }

    func layouts(_ request: LayoutRequest, post: anneal_post) throws -> OperandLayouts {
        let data = request.inputs[0], output = request.outputs[0]
        var result = request.plain
        let block = request.engine.block, given = request.given[1]?.weights(OneDNNWeights.self)
        // With few channels, most of a block would be padding.
        var plain = data[1] < block && numGroup == 1 && request.given[0] == .plain
        // Another convolution with the same weights has already chosen a layout.
        if let weights = request.given[1]?.weights(BlockedWeights.self) { plain = weights.isForPlainData }
        if given == nil, let own = OwnConvolution(self, data: data, output: output, block: block, plain: plain) {
            result.inputs[0] = plain ? .plain : .blocked(block)
            result.outputs[0] = .blocked(block)
            result.inputs[1] = .opaque(OpaqueLayout(own.weights))
            return result
        }
        let layouts = try OneDNNLayouts(
            request.engine, anneal_conv(window, groups: numGroup, data: data, output: output), ANNEAL_FORWARD,
            onednn_conv_options(
                bias: noBias ? 0 : 1, inference: request.mode == .inference ? 1 : 0, post: post),
            weights: given)
        result.inputs[0] = layouts.source
        result.outputs[0] = layouts.target
        result.inputs[1] = .opaque(OpaqueLayout(layouts.weights))
        return result
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try kernel(
            site, engine, ANNEAL_FORWARD, data: .input(0), weight: .input(1), bias: .input(2), output: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        if part == 1 {
            return try kernel(
                site, engine, ANNEAL_BACKWARD_DATA, data: .gradient(0), weight: .input(1), bias: .input(2),
                output: .outputGradient(0))
        }
        guard site.has(.gradient(1)) else {
            // The weights are frozen.
            let dims = Dims(try site.value(.outputGradient(0))).c
            return PreparedKernel { memory in
                let dy = memory[.outputGradient(0)], dBias = memory[.gradient(2)]
                return { sumChannels(dy, to: dBias, dims) }
            }
        }
        return try kernel(
            site, engine, ANNEAL_BACKWARD_WEIGHTS, data: .input(0), weight: .gradient(1), bias: .gradient(2),
            output: .outputGradient(0))
    }

    func kernel(
        _ site: KernelSite, _ engine: CPUEngine, _ pass: anneal_pass, data: Program.Operand, weight: Program.Operand,
        bias: Program.Operand, output: Program.Operand, post: anneal_post = anneal_post()
    ) throws -> PreparedKernel {
        let x = try site.value(data), y = try site.value(output)
        var kernel: PreparedKernel
        if let weights = site.has(weight) ? try site.layout(weight).weights(BlockedWeights.self) : nil,
            let own = OwnConvolution(
                self, data: x.shape, output: y.shape, block: engine.block, plain: weights.isForPlainData)
        {
            kernel = own.kernel(pass, data: data, weight: weight, bias: bias, output: output, post: post)
        } else {
            // The weights' gradient may be needed without the bias's.
            kernel = try OneDNNPass(
                engine, site, anneal_conv(window, groups: numGroup, data: x.shape, output: y.shape), pass, data: data,
                weight: weight, bias: site.has(bias) ? bias : nil, output: output, post: post
            ).kernel()
        }
        let taps = window.kernel.reduce(1, *) * x.shape[1] / numGroup
        kernel.flops = 2 * Double(y.shape.count) * Double(taps)
        return kernel
    }
}
