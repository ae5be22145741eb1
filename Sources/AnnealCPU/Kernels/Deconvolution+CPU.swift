import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import COneDNN

// A deconvolution is a convolution turned round: its forward pass is the convolution's data gradient.

extension Deconvolution: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        var result = request.plain
        let shape = try oneDNNShape(data: request.inputs[0], output: request.outputs[0])
        var given: OneDNNWeights?
        if case .opaque(let opaque)? = request.given[1] { given = opaque.layout as? OneDNNWeights }
        var primitive = try onOneThread {
            try OneDNNConvolution(request.engine, shape, ADNN_BACKWARD_DATA, source: 0, target: 0, weights: given)
        }
        if primitive.sourceBlock == 0 || primitive.targetBlock == 0 {
            primitive = try onOneThread {
                try OneDNNConvolution(request.engine, shape, ADNN_BACKWARD_DATA, source: 1, target: 1, weights: given)
            }
        }
        func layout(_ block: Int) -> Layout { block > 1 ? .blocked(block) : .plain }
        result.inputs[0] = layout(primitive.targetBlock)
        result.outputs[0] = layout(primitive.sourceBlock)
        result.inputs[1] = .opaque(OpaqueLayout(try given ?? primitive.weights()))
        return result
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let output = try site.value(.output(0))
        var kernel = try convolution(
            site, engine, ADNN_BACKWARD_DATA, small: .input(0), weight: .input(1), large: .output(0))
        guard !noBias else { return kernel }
        let dims = Dims(output).c, product = kernel.bind
        kernel.bind = { memory in
            let y = memory[.output(0)], bias = memory[.input(2)]
            let run = try product(memory)
            return {
                let status = run()
                addBias(bias, to: y, dims)
                return status
            }
        }
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        if part == 1 {
            return try convolution(
                site, engine, ADNN_FORWARD_TRAINING, small: .gradient(0), weight: .input(1), large: .head(0))
        }
        let dims = Dims(try site.value(.head(0))).c
        var kernel =
            site.has(.gradient(1))
            ? try convolution(
                site, engine, ADNN_BACKWARD_WEIGHTS, small: .input(0), weight: .gradient(1), large: .head(0))
            : PreparedKernel { _ in {} }
        let product = kernel.bind
        kernel.bind = { memory in
            let dy = memory[.head(0)], dBias = memory.optional(.gradient(2))
            let run = try product(memory)
            return {
                if let dBias { sumChannels(dy, to: dBias, dims) }
                return run()
            }
        }
        return kernel
    }

    /// - Parameters:
    ///   - small: the deconvolution's data, or its gradient.
    ///   - large: its output, or the output's gradient.
    private func convolution(
        _ site: KernelSite, _ engine: CPUEngine, _ pass: adnn_pass, small: Program.Operand, weight: Program.Operand,
        large: Program.Operand
    ) throws -> PreparedKernel {
        guard case .opaque(let opaque) = try site.layout(weight), let weights = opaque.layout as? OneDNNWeights else {
            throw AnnealError(
                "", "its weights are not in a convolution's layout", suggestion: "this is a defect of Anneal",
                code: .internalDefect)
        }
        let data = try site.value(small), output = try site.value(large)
        var kernel = try OneDNNPass(
            engine: engine, shape: try oneDNNShape(data: data.shape, output: output.shape), pass: pass,
            weights: weights, data: large, weight: weight, bias: .input(2), output: small, source: output, target: data
        ).kernel()
        kernel.flops = 2 * Double(data.shape.count) * Double(window.kernel.reduce(1, *) * numFilter / numGroup)
        return kernel
    }

    private func oneDNNShape(data: Shape, output: Shape) throws -> adnn_conv_shape {
        func three(_ values: [Int], _ fill: Int) -> (Int64, Int64, Int64) {
            let all = values + Array(repeating: fill, count: 3 - values.count)
            return (Int64(all[0]), Int64(all[1]), Int64(all[2]))
        }
        return adnn_conv_shape(
            axes: Int32(window.kernel.count), n: Int64(data[0]), groups: Int64(numGroup), ic: Int64(numFilter),
            oc: Int64(data[1]), in: three(Array(output.dims.dropFirst(2)), 1),
            out: three(Array(data.dims.dropFirst(2)), 1), kernel: three(window.kernel, 1),
            stride: three(window.stride, 1), pad: three(try padding(data).pad, 0), dilate: three(window.dilate, 1),
            bias: 0, post: adnn_post_ops())
    }
}

/// y += bias, channel by channel; the filling of blocked layouts stays.
private func addBias(_ bias: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ dims: ank_dims) {
    forEachLane(dims) { first, step, channel in
        for k in 0..<Int(dims.s) { y[first + k * step] += bias[channel] }
    }
}

/// The gradient of a bias.
func sumChannels(_ y: UnsafePointer<Float>, to sums: UnsafeMutablePointer<Float>, _ dims: ank_dims) {
    sums.update(repeating: 0, count: Int(dims.c))
    forEachLane(dims) { first, step, channel in
        var sum: Float = 0
        for k in 0..<Int(dims.s) { sum += y[first + k * step] }
        sums[channel] += sum
    }
}

/// Calls body(first element, distance of positions, channel) for each channel of each sample.
private func forEachLane(_ dims: ank_dims, _ body: (Int, Int, Int) -> Void) {
    let b = Int(dims.b), s = Int(dims.s), c = Int(dims.c), blocks = (c + b - 1) / b
    for i in 0..<Int(dims.n) {
        for j in 0..<c { body((i * blocks + j / b) * s * b + j % b, b, j) }
    }
}
