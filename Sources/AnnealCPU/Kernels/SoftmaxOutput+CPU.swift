import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels

extension SoftmaxOutput: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let (outer, classes, inner) = axes(try site.shape(.input(0)))
        var kernel = PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            return { anneal_softmax(x, y, Int64(outer), Int64(classes), Int64(inner)) }
        }
        kernel.inPlace = [(.input(0), .output(0))]
        return kernel
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let shape = try site.shape(.output(0)), op = self
        let probabilities = try site.shape(.input(1)) == shape
        let axes = axes(shape), batch = shape[0]
        return PreparedKernel { memory in
            let p = memory[.output(0)], label = memory[.input(1)], dx = memory[.gradient(0)]
            if probabilities, op.labelSum { return { op.weightedGradient(p, label, dx, axes) } }
            if probabilities {
                return {
                    for i in 0..<shape.count { dx[i] = (p[i] - label[i]) * op.gradScale }
                    if op.outGrad { for i in 0..<shape.count { dx[i] *= p[i] } }
                }
            }
            return { op.gradient(p, label, dx, axes, batch: batch) }
        }
    }

    /// (s p - label) · scale for labels that sum to s over the classes.
    private func weightedGradient(
        _ p: UnsafePointer<Float>, _ label: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
        _ axes: (outer: Int, classes: Int, inner: Int)
    ) {
        let (outer, classes, inner) = axes
        let scale = normalization == .null ? gradScale : gradScale / Float(outer * inner)
        for o in 0..<outer {
            for i in 0..<inner {
                let first = o * classes * inner + i, end = first + classes * inner
                var sum: Float = 0
                for at in stride(from: first, to: end, by: inner) { sum += label[at] }
                for at in stride(from: first, to: end, by: inner) {
                    dx[at] = (sum * p[at] - label[at]) * scale
                    if outGrad { dx[at] *= p[at] }
                }
            }
        }
    }

    /// (p - target) · scale, with MXNet's rules of normalisation (softmax_output-inl.h).
    private func gradient(
        _ p: UnsafePointer<Float>, _ label: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
        _ axes: (outer: Int, classes: Int, inner: Int), batch: Int
    ) {
        let (outer, classes, inner) = axes
        let positions = outer * inner
        // Labels are integers; there are no classes beyond Int32.
        func truncated(_ value: Float) -> Int { abs(value) < 2e9 ? Int(value) : -1 }
        var divisor: Float = 1
        switch normalization {
        case .null: divisor = multiOutput ? Float(inner) : 1
        case .batch: divisor = multiOutput ? Float(batch) * Float(inner) : Float(positions)
        case .valid:
            let ignored = truncated(ignoreLabel)
            divisor = Float(max(1, (0..<positions).count { truncated(label[$0]) != ignored }))
        }
        let scale = gradScale / divisor
        // MXNet smooths labels only in its plain mode.
        let smooth = multiOutput ? 0 : smoothAlpha
        let other = classes > 1 ? smooth / Float(classes - 1) : 0
        for o in 0..<outer {
            for i in 0..<inner {
                let target = truncated(label[o * inner + i])
                let skip = useIgnore && target == truncated(ignoreLabel)
                for k in 0..<classes {
                    let at = (o * classes + k) * inner + i
                    let wanted: Float = k == target ? 1 - smooth : other
                    dx[at] = skip ? 0 : (p[at] - wanted) * scale
                    if outGrad { dx[at] *= p[at] }
                }
            }
        }
    }
}
