import AnnealCore
import AnnealGraph

/// Kernel, strides, dilation and padding of a convolution or pooling over spatial axes.
struct ImportWindow {
    let kernel: [Int]
    let strides: [Int]
    let dilations: [Int]
    /// Before and after each axis.
    var pads: [(Int, Int)]

    /// - Parameters:
    ///   - extents: the extents of the data's spatial axes.
    init(_ site: ImportSite, kernel: [Int], extents: [Int]) throws {
        let ones = kernel.map { _ in 1 }
        strides = site.ints("strides") ?? ones
        dilations = site.ints("dilations") ?? ones
        self.kernel = kernel
        guard (1...3).contains(kernel.count), kernel.count == extents.count, strides.count == kernel.count,
            dilations.count == kernel.count,
            (kernel + strides + dilations).allSatisfy({ (1...1 << 20).contains($0) })
        else {
            throw site.refusal(
                "kernel \(kernel), strides \(strides) and dilations \(dilations) do not fit data of \(extents)")
        }
        let spans = zip(kernel, dilations).map { ($0 - 1) * $1 + 1 }
        switch site.string("auto_pad", default: "NOTSET") {
        case "NOTSET":
            let given = site.ints("pads") ?? kernel.flatMap { _ in [0, 0] }
            guard given.count == 2 * kernel.count, given.allSatisfy({ (0...1 << 20).contains($0) }) else {
                throw site.refusal("its pads \(given) cannot be had")
            }
            pads = kernel.indices.map { (given[$0], given[$0 + kernel.count]) }
        case "VALID": pads = kernel.map { _ in (0, 0) }
        case let mode where mode == "SAME_UPPER" || mode == "SAME_LOWER":
            let strides = strides
            pads = kernel.indices.map { axis in
                let outputs = (extents[axis] + strides[axis] - 1) / strides[axis]
                let whole = max(0, (outputs - 1) * strides[axis] + spans[axis] - extents[axis])
                return mode == "SAME_UPPER" ? (whole / 2, whole - whole / 2) : (whole - whole / 2, whole / 2)
            }
        case let mode: throw site.refusal("its auto_pad is \(mode)")
        }
    }

    var isSymmetric: Bool { pads.allSatisfy { $0.0 == $0.1 } }

    /// The output's extents by ONNX's rule: windows that would begin in the padding at the end are omitted.
    func outputExtents(_ extents: [Int], roundsUp: Bool) -> [Int] {
        kernel.indices.map { axis in
            let span = extents[axis] + pads[axis].0 + pads[axis].1 - (kernel[axis] - 1) * dilations[axis] - 1
            guard span >= 0 else { return 0 }
            guard roundsUp else { return span / strides[axis] + 1 }
            let count = (span + strides[axis] - 1) / strides[axis] + 1
            return (count - 1) * strides[axis] >= extents[axis] + pads[axis].0 ? count - 1 : count
        }
    }
}
