import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension BatchNorm: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        axis == 1 || axis == 1 - request.inputs[0].rank ? request.following : request.plain
    }
    package func accumulates(part: Int) -> Bool { true }
    package var repeatsFromSaved: Bool { true }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try BatchNormKernels(norm: self, adds: false, relu: false, site).forward(site)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try BatchNormKernels(norm: self, adds: false, relu: false, site).backward(site)
    }
}

extension FusedBatchNorm: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }
    package func accumulates(part: Int) -> Bool { true }
    package var repeatsFromSaved: Bool { true }
    /// The first pass stores the masked gradient anyway, so it can store the sum with it.
    package func addsOutputGradients(part: Int, writes: [Program.Operand]) -> Bool {
        adds && writes.contains(.gradient(5))
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try BatchNormKernels(norm: norm, adds: adds, relu: relu, site).forward(site)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try BatchNormKernels(norm: norm, adds: adds, relu: relu, site).backward(site)
    }
}

/// The kernels of batch norm with the operators fused to it.
private struct BatchNormKernels {
    let norm: BatchNorm
    let adds: Bool
    let relu: Bool
    let dims: anneal_dims
    let channels: Int

    init(norm: BatchNorm, adds: Bool, relu: Bool, _ site: KernelSite) throws {
        self.norm = norm
        self.adds = adds
        self.relu = relu
        let data = try site.value(.input(0))
        channels = try site.shape(.input(1)).count
        let axis = norm.axis < 0 ? norm.axis + data.shape.rank : norm.axis
        if axis == 1 || data.shape.rank < 3 && axis == data.shape.rank - 1 {
            dims = axis == 0 ? anneal_dims(n: 1, c: Int64(channels), s: 1, b: 1) : Dims(data).c
        } else {
            // Any axis of a plain array is the middle one of (before, axis, after).
            dims = anneal_dims(
                n: Int64(data.shape.dims[..<axis].reduce(1, *)), c: Int64(channels),
                s: Int64(data.shape.dims[(axis + 1)...].reduce(1, *)), b: 1)
        }
    }

    func forward(_ site: KernelSite) throws -> PreparedKernel {
        // A recomputation reads the statistics that the forward pass has saved.
        let repeats = site.instruction.reading(.saved(0)) != nil
        let batchStatistics = site.mode == .training && !norm.useGlobalStats && !repeats
        let dims = dims, eps = norm.eps, relu: Int32 = relu ? 1 : 0, fixGamma = norm.fixGamma
        let channels = channels, outputsStatistics = norm.outputMeanVar
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], gamma = memory[.input(1)], beta = memory[.input(2)]
            let y = memory[.output(0)], addend = memory.optional(.input(5))
            let movingMean = memory[.input(3)], movingVar = memory[.input(4)]
            let mean = memory.optional(.saved(0)) ?? movingMean, variance = memory.optional(.saved(1)) ?? movingVar
            let scratch = memory.scratch
            let shownMean = memory.optional(.output(1)), shownVar = memory.optional(.output(2))
            return {
                if !batchStatistics, !repeats, mean != movingMean {
                    mean.update(from: movingMean, count: channels)
                    variance.update(from: movingVar, count: channels)
                }
                // MXNet overwrites a fixed gamma with 1, in inference too.
                if fixGamma, !repeats { gamma.update(repeating: 1, count: channels) }
                if batchStatistics {
                    anneal_batchnorm_forward(x, addend, y, mean, variance, gamma, beta, eps, relu, scratch, dims)
                } else {
                    anneal_batchnorm_apply(x, addend, y, mean, variance, gamma, beta, eps, relu, dims)
                }
                if outputsStatistics, let shownMean, let shownVar {
                    for c in 0..<channels {
                        shownMean[c] = mean[c]
                        shownVar[c] = 1 / (variance[c] + eps).squareRoot()
                    }
                }
            }
        }
        if batchStatistics { kernel.scratch = Int(anneal_batchnorm_scratch(dims)) }
        kernel.inPlace = [(.input(5), .output(0)), (.input(0), .output(0))]
        return kernel
    }

    func backward(_ site: KernelSite) throws -> PreparedKernel {
        let global = norm.useGlobalStats, momentum = norm.momentum
        let dims = dims, eps = norm.eps, fixGamma = norm.fixGamma, channels = channels
        let mask: Int32 = !relu ? 0 : adds ? 2 : 1
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], gamma = memory[.input(1)], beta = memory[.input(2)]
            let movingMean = memory[.input(3)], movingVar = memory[.input(4)]
            let mean = memory[.saved(0)], variance = memory[.saved(1)]
            let dy = memory[.outputGradient(0)], dy2 = memory.optional(.secondOutputGradient),
                y = memory.optional(.output(0))
            let dx = memory.optional(.gradient(0)), earlier = memory.optional(.accumulated)
            let dGamma = memory.optional(.gradient(1)), dBeta = memory.optional(.gradient(2))
            let dAddend = memory.optional(.gradient(5))
            let scratch = memory.scratch
            return {
                if global {
                    anneal_batchnorm_backward_global(
                        x, y, dy, dy2, mean, variance, gamma, beta, eps, mask, earlier, dx, dAddend, dGamma, dBeta,
                        scratch, dims)
                } else {
                    anneal_batchnorm_backward(
                        x, y, dy, dy2, mean, variance, gamma, beta, eps, mask, earlier, dx, dAddend, dGamma, dBeta,
                        scratch, dims)
                    // Once per step, here and not in the forward pass, as in MXNet.
                    for c in 0..<channels {
                        movingMean[c] = movingMean[c] * momentum + mean[c] * (1 - momentum)
                        movingVar[c] = movingVar[c] * momentum + variance[c] * (1 - momentum)
                    }
                }
                if fixGamma, let dGamma { dGamma.update(repeating: 0, count: channels) }
            }
        }
        kernel.scratch = Int(anneal_batchnorm_scratch(dims))
        // The masked gradient overwrites the output gradient; without an addend the data's gradient may.
        kernel.inPlace =
            adds
            ? [(.outputGradient(0), .gradient(5)), (.secondOutputGradient, .gradient(5)), (.accumulated, .gradient(0))]
            : [(.accumulated, .gradient(0)), (.outputGradient(0), .gradient(0))]
        return kernel
    }
}
