import AnnealCompiler
import AnnealCore
import AnnealGraph

extension UpSampling: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        sample == .bilinear ? try deconvolution(channels: request.inputs[0][1]).layouts(request) : request.plain
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let output = try site.shape(.output(0))
        if sample == .bilinear { return try deconvolution(channels: output[1]).forward(site, engine) }
        let places = try places(site, output: output), adds = join == .sum, inputs = numArgs
        return PreparedKernel { memory in
            let sources = (0..<inputs).map { memory[.input($0)] }, y = memory[.output(0)]
            return {
                for (index, place) in places.enumerated() {
                    let x = sources[index]
                    if adds && index > 0 {
                        place.forEach { i, j in y[i] += x[j] }
                    } else {
                        place.forEach { i, j in y[i] = x[j] }
                    }
                }
            }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let output = try site.shape(.outputGradient(0))
        if sample == .bilinear {
            return try deconvolution(channels: output[1]).backward(site, part: part, engine)
        }
        let place = try places(site, output: output)[part], count = try site.shape(.gradient(part)).count
        return summingKernel(.gradient(part), count: count) { memory in
            let dy = memory[.outputGradient(0)]
            return { sums in place.forEach { i, j in sums[j] += Double(dy[i]) } }
        }
    }

    private func places(_ site: KernelSite, output: Shape) throws -> [NearestPlaces] {
        var channel = 0
        return try (0..<numArgs).map { index in
            let input = try site.inputShape(index)
            defer { if join == .concat { channel += input[1] } }
            return NearestPlaces(input: input, output: output, channel: channel, scale: output[2] / input[2])
        }
    }
}

/// Where the elements of one input are in the output, from a channel on.
private struct NearestPlaces {
    let input: Shape
    let output: Shape
    let channel: Int
    let scale: Int

    /// Calls body(output element, input element).
    func forEach(_ body: (Int, Int) -> Void) {
        let height = output[2], width = output[3], channels = input[1]
        for plane in 0..<(input[0] * channels) {
            let target = (plane / channels * output[1] + channel + plane % channels) * height * width
            for y in 0..<height {
                let row = (plane * input[2] + y / scale) * input[3]
                for x in 0..<width { body(target + y * width + x, row + x / scale) }
            }
        }
    }
}
