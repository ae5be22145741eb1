import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension Dropout: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        axes.isEmpty ? request.following : request.plain
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.value(.output(0))
        let dims = Dims(data), count = dims.elements
        var kernel: PreparedKernel
        if site.mode == .inference && mode == .training {
            kernel = try copyKernel(site, from: .input(0), to: .output(0))
        } else if axes.isEmpty {
            let keep = 1 - p, key = RandomKey(site, .dropout)
            kernel = PreparedKernel { memory in
                let x = memory[.input(0)], y = memory[.output(0)]
                guard let mask = memory.optional(.saved(0)) ?? memory.scratch else { return {} }
                let clock = memory.clock
                return {
                    anneal_random_uniform(key.at(clock), mask, dims.c)
                    anneal_dropout(x, mask, keep, mask, y, count)
                }
            }
            if !site.has(.saved(0)) { kernel.scratch = Int(count) }
        } else {
            kernel = sharedMask(site, data.shape)
        }
        kernel.inPlace = [(.input(0), .output(0))]
        return kernel
    }

    /// One mask value is shared along `axes`.
    private func sharedMask(_ site: KernelSite, _ shape: Shape) -> PreparedKernel {
        var maskShape = shape
        for axis in axes { maskShape[axis] = 1 }
        let maskDims = Dims(maskShape, .plain).c, maskCount = maskShape.count
        let keep = 1 - p, key = RandomKey(site, .dropout)
        let walk = Walk(shape, broadcasting: maskShape)
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            guard let mask = memory.optional(.saved(0)) ?? memory.scratch else { return {} }
            let clock = memory.clock
            return {
                anneal_random_uniform(key.at(clock), mask, maskDims)
                for i in 0..<maskCount { mask[i] = mask[i] < keep ? 1 / keep : 0 }
                walk.forEach { i, j, _ in y[i] = x[i] * mask[j] }
            }
        }
        if !site.has(.saved(0)) { kernel.scratch = maskShape.count }
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let value = try site.value(.gradient(0))
        let count = Dims(value).elements
        var kernel: PreparedKernel
        if axes.isEmpty {
            kernel = PreparedKernel { memory in
                let mask = memory[.saved(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
                return { anneal_multiply(mask, dy, dx, count) }
            }
        } else {
            let walk = Walk(value.shape, broadcasting: try site.shape(.saved(0)))
            kernel = PreparedKernel { memory in
                let mask = memory[.saved(0)], dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
                return { walk.forEach { i, j, _ in dx[i] = dy[i] * mask[j] } }
            }
        }
        kernel.inPlace = [(.outputGradient(0), .gradient(0))]
        return kernel
    }
}

/// The source of a layer's random numbers: its name selects the stream.
struct RandomKey {
    private let stream: UInt32
    private let purpose: UInt32

    init(_ site: KernelSite, _ purpose: Random.Purpose) {
        var hash: UInt32 = 0x811c_9dc5
        for byte in site.layer.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        stream = hash
        self.purpose = purpose.rawValue
    }

    func at(_ clock: StepClock) -> anneal_random_key {
        anneal_random_key(
            seed: clock.inputs.seed, stream: stream, step: UInt32(truncatingIfNeeded: clock.inputs.step),
            purpose: purpose, sample: UInt32(truncatingIfNeeded: clock.inputs.firstSample))
    }
}
