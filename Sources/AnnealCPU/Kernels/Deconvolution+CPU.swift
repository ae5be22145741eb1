import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import COneDNN

// A deconvolution is a transposed convolution: its forward pass is the convolution's data gradient.

extension Deconvolution: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        var result = request.plain
        let layouts = try OneDNNLayouts(
            request.engine, convolution(data: request.inputs[0], output: request.outputs[0]), ANNEAL_BACKWARD_DATA,
            onednn_conv_options(), weights: request.given[1]?.weights(OneDNNWeights.self))
        result.inputs[0] = layouts.target
        result.outputs[0] = layouts.source
        result.inputs[1] = .opaque(OpaqueLayout(layouts.weights))
        return result
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let output = try site.value(.output(0))
        var kernel = try product(
            site, engine, ANNEAL_BACKWARD_DATA, small: .input(0), weight: .input(1), large: .output(0))
        guard !noBias else { return kernel }
        let dims = Dims(output).c, bind = kernel.bind
        kernel.bind = { memory in
            let y = memory[.output(0)], bias = memory[.input(2)]
            let run = try bind(memory)
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
            return try product(
                site, engine, ANNEAL_FORWARD, small: .gradient(0), weight: .input(1), large: .outputGradient(0))
        }
        let dims = Dims(try site.value(.outputGradient(0))).c
        var kernel =
            site.has(.gradient(1))
            ? try product(
                site, engine, ANNEAL_BACKWARD_WEIGHTS, small: .input(0), weight: .gradient(1), large: .outputGradient(0)
            )
            : PreparedKernel { _ in {} }
        let bind = kernel.bind
        kernel.bind = { memory in
            let dy = memory[.outputGradient(0)], dBias = memory.optional(.gradient(2))
            let run = try bind(memory)
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
    private func product(
        _ site: KernelSite, _ engine: CPUEngine, _ pass: anneal_pass, small: Program.Operand, weight: Program.Operand,
        large: Program.Operand
    ) throws -> PreparedKernel {
        let data = try site.value(small), output = try site.value(large)
        var kernel = try OneDNNPass(
            engine, site, convolution(data: data.shape, output: output.shape), pass, data: large, weight: weight,
            bias: nil, output: small
        ).kernel()
        kernel.flops = 2 * Double(data.shape.count) * Double(window.kernel.reduce(1, *) * numFilter / numGroup)
        return kernel
    }

    /// - Parameters:
    ///   - data: the deconvolution's data, the convolution's output.
    ///   - output: the deconvolution's output, the convolution's data.
    private func convolution(data: Shape, output: Shape) throws -> anneal_conv {
        anneal_conv(window, pad: try padding(data).pad, groups: numGroup, data: output, output: data)
    }
}

/// y += bias, channel by channel; the padding of blocked layouts stays.
private func addBias(_ bias: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ dims: anneal_dims) {
    forEachLane(dims) { first, step, channel in
        for k in 0..<Int(dims.s) { y[first + k * step] += bias[channel] }
    }
}

/// The gradient of a bias.
func sumChannels(_ y: UnsafePointer<Float>, to sums: UnsafeMutablePointer<Float>, _ dims: anneal_dims) {
    sums.update(repeating: 0, count: Int(dims.c))
    forEachLane(dims) { first, step, channel in
        var sum: Float = 0
        for k in 0..<Int(dims.s) { sum += y[first + k * step] }
        sums[channel] += sum
    }
}

/// Calls body(first element, stride of positions, channel) for each channel of each sample.
private func forEachLane(_ dims: anneal_dims, _ body: (Int, Int, Int) -> Void) {
    let b = Int(dims.b), s = Int(dims.s), c = Int(dims.c), blocks = (c + b - 1) / b
    for i in 0..<Int(dims.n) {
        for j in 0..<c { body((i * blocks + j / b) * s * b + j % b, b, j) }
    }
}
