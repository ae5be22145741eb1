import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension RegressionOutput: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try member == .logistic
            ? activationKernel(site, ANNEAL_SIGMOID) : copyKernel(site, from: .input(0), to: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let shape = try site.shape(.gradient(0))
        let scale = gradScale / Float(max(shape.count / shape[0], 1)), absolute = member == .absolute
        return try pointwiseKernel(site, .output(0), .input(1), to: .gradient(0)) { y, label, _ in
            let difference = y - label
            // MXNet counts a zero difference as negative.
            return scale * (absolute ? (difference > 0 ? 1 : -1) : difference)
        }
    }
}

extension SVMOutput: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try copyKernel(site, from: .input(0), to: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let shape = try site.shape(.gradient(0)), label = try site.shape(.input(1))
        let rows = label.count, classes = shape.count / rows
        let margin = margin, scale = regularization, linear = useLinear
        return PreparedKernel { memory in
            let y = memory[.output(0)], label = memory[.input(1)], dx = memory[.gradient(0)]
            return {
                for row in 0..<rows {
                    for k in 0..<classes {
                        let at = row * classes + k
                        // The true class should be above the margin, the others below its negative.
                        let sign: Float = Float(k) == label[row].rounded(.towardZero) ? -1 : 1
                        let loss = margin + sign * y[at]
                        dx[at] = loss > 0 ? sign * scale * (linear ? 1 : 2 * loss) : 0
                    }
                }
            }
        }
    }
}

extension MakeLoss: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.plain }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try copyKernel(site, from: .input(0), to: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let shape = try site.shape(.gradient(0)), count = shape.count, threshold = validThreshold, gradScale = gradScale
        let scale = normalization == .batch ? gradScale / Float(shape.dims.dropLast().reduce(1, *)) : gradScale
        return PreparedKernel { memory in
            let x = memory.optional(.input(0)), dx = memory[.gradient(0)]
            return {
                var value = scale
                if let x {
                    var valid = 0
                    for i in 0..<count where x[i] > threshold { valid += 1 }
                    value = gradScale / Float(max(valid, 1))
                }
                anneal_fill(dx, value, Int64(count))
            }
        }
    }
}

extension SimpleMakeLoss: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try copyKernel(site, from: .input(0), to: .output(0))
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let count = Int64(try site.shape(.gradient(0)).count)
        return PreparedKernel { memory in
            let dx = memory[.gradient(0)]
            return { anneal_fill(dx, 1, count) }
        }
    }
}
