import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import COneDNN

// Convolutions run in oneDNN, but for those where our own kernels are faster.

extension Convolution: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        try layouts(request, post: adnn_post_ops())
    }

    func layouts(_ request: LayoutRequest, post: adnn_post_ops) throws -> OperandLayouts {
        let data = request.inputs[0], output = request.outputs[0]
        var result = request.plain
        let block = request.engine.block
        var given: OneDNNWeights?
        // Images of few channels would be mostly filling.
        var plain = data[1] < block && numGroup == 1 && request.given[0] == .plain
        if case .opaque(let opaque)? = request.given[1] {
            given = opaque.layout as? OneDNNWeights
            // Another convolution with the same weights has chosen.
            if let weights = opaque.layout as? BlockedWeights { plain = weights.isForPlainData }
        }
        if given == nil, let own = OwnConvolution(self, data: data, output: output, block: block, plain: plain) {
            result.inputs[0] = plain ? .plain : .blocked(block)
            result.outputs[0] = .blocked(block)
            result.inputs[1] = .opaque(OpaqueLayout(own.weights))
            return result
        }
        let pass = request.mode == .training ? ADNN_FORWARD_TRAINING : ADNN_FORWARD_INFERENCE
        let shape = oneDNNShape(data: data, output: output, post: post)
        // The choice follows the shape, not the number of threads.
        var primitive = try onOneThread {
            try OneDNNConvolution(request.engine, shape, pass, source: 0, target: 0, weights: given)
        }
        if primitive.sourceBlock == 0 || primitive.targetBlock == 0 {
            // A layout that no other kernel knows: plain costs less than to change it twice.
            primitive = try onOneThread {
                try OneDNNConvolution(request.engine, shape, pass, source: 1, target: 1, weights: given)
            }
        }
        func layout(_ block: Int) -> Layout { block > 1 ? .blocked(block) : .plain }
        result.inputs[0] = layout(primitive.sourceBlock)
        result.outputs[0] = layout(primitive.targetBlock)
        result.inputs[1] = .opaque(OpaqueLayout(try given ?? primitive.weights()))
        return result
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let pass = site.mode == .training ? ADNN_FORWARD_TRAINING : ADNN_FORWARD_INFERENCE
        return try kernel(
            site, engine, pass, data: .input(0), weight: .input(1), bias: .input(2), output: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        if part == 1 {
            return try kernel(
                site, engine, ADNN_BACKWARD_DATA, data: .gradient(0), weight: .input(1), bias: .input(2),
                output: .head(0))
        }
        guard site.has(.gradient(1)) else {
            // The weights are frozen.
            let dims = Dims(try site.value(.head(0))).c
            return PreparedKernel { memory in
                let dy = memory[.head(0)], dBias = memory[.gradient(2)]
                return { sumChannels(dy, to: dBias, dims) }
            }
        }
        return try kernel(
            site, engine, ADNN_BACKWARD_WEIGHTS, data: .input(0), weight: .gradient(1), bias: .gradient(2),
            output: .head(0))
    }

    func kernel(
        _ site: KernelSite, _ engine: CPUEngine, _ pass: adnn_pass, data: Program.Operand, weight: Program.Operand,
        bias: Program.Operand, output: Program.Operand, post: adnn_post_ops = adnn_post_ops()
    ) throws -> PreparedKernel {
        let x = try site.value(data), y = try site.value(output)
        var kernel: PreparedKernel
        let weightLayout = site.has(weight) ? try site.layout(weight) : nil
        if case .opaque(let opaque)? = weightLayout, let weights = opaque.layout as? BlockedWeights,
            let own = OwnConvolution(
                self, data: x.shape, output: y.shape, block: engine.block, plain: weights.isForPlainData)
        {
            kernel = own.kernel(pass, data: data, weight: weight, bias: bias, output: output, post: post)
        } else {
            guard case .opaque(let opaque)? = weightLayout, let weights = opaque.layout as? OneDNNWeights else {
                throw AnnealError(
                    "", "its weights are not in a convolution's layout", suggestion: "this is a defect of Anneal",
                    code: .internalDefect)
            }
            // A weight gradient may be wanted without the bias's.
            var shape = oneDNNShape(data: x.shape, output: y.shape, post: post)
            shape.bias = site.has(bias) ? 1 : 0
            kernel = try OneDNNPass(
                engine: engine, shape: shape, pass: pass, weights: weights, data: data, weight: weight, bias: bias,
                output: output, source: x, target: y
            ).kernel()
        }
        let taps = window.kernel.reduce(1, *) * x.shape[1] / numGroup
        kernel.flops = 2 * Double(y.shape.count) * Double(taps)
        return kernel
    }

    private func oneDNNShape(data: Shape, output: Shape, post: adnn_post_ops) -> adnn_conv_shape {
        func three(_ values: [Int], _ fill: Int) -> (Int64, Int64, Int64) {
            let all = values + Array(repeating: fill, count: 3 - values.count)
            return (Int64(all[0]), Int64(all[1]), Int64(all[2]))
        }
        return adnn_conv_shape(
            axes: Int32(window.kernel.count), n: Int64(data[0]), groups: Int64(numGroup), ic: Int64(data[1]),
            oc: Int64(numFilter), in: three(Array(data.dims.dropFirst(2)), 1),
            out: three(Array(output.dims.dropFirst(2)), 1), kernel: three(window.kernel, 1),
            stride: three(window.stride, 1), pad: three(window.pad, 0), dilate: three(window.dilate, 1),
            bias: noBias ? 0 : 1, post: post)
    }
}
