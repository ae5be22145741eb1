import AnnealCore

/// MXNet's `Pooling` over 1 to 3 spatial axes; each output extent is 1 + floor((x + 2 pad - kernel) / stride), or ceil
/// with `pooling_convention=full`.
public struct Pooling: SymbolOperator {
    public enum Kind: String, CaseIterable, Sendable { case max, avg, sum, lp }
    enum Convention: String, CaseIterable, Sendable { case valid, full, same }

    public static let name = "Pooling"
    public static let earlierNames = ["Pooling_v1"]
    public let operation: String
    /// `Pooling_v1` gives a maximum's whole gradient to every cell that has it, lets the zero padding take part in
    /// maxima, and divides an average by the whole kernel, including the part outside the padded data.
    public var isFirstVersion: Bool { operation == Self.earlierNames[0] }
    public let kind: Kind
    public let globalPool: Bool
    public let countIncludePad: Bool
    /// The p of `lp`.
    public let power: Int
    let kernel: [Int]?
    let stride: [Int]?
    let pad: [Int]?
    let full: Bool

    public init(_ attributes: inout AttributeReader) throws {
        operation = attributes.operation
        kind = try attributes.choice("pool_type", default: .max)
        globalPool = try attributes.bool("global_pool", default: false)
        countIncludePad = try attributes.bool("count_include_pad", default: true)
        power = try attributes.int("p_value", default: 2)
        kernel = try attributes.factors("kernel")
        stride = try attributes.factors("stride")
        pad = try attributes.factors("pad")
        let convention: Convention = try attributes.choice("pooling_convention", default: .valid)
        full = convention == .full
        attributes.ignore("cudnn_off")
        if convention == .same { throw attributes.wrong("pooling_convention", "same", "valid or full") }
        guard (1...3).contains(power) else { throw attributes.wrong("p_value", "\(power)", "1, 2 or 3") }
        if operation == Self.earlierNames[0], kind == .lp {
            throw attributes.wrong("pool_type", "lp", "max, avg or sum")
        }
        guard globalPool || kernel != nil else { throw AnnealError("", "Pooling requires the attribute kernel") }
        if let layout = attributes.string("layout"), !["NCW", "NCHW", "NCDHW"].contains(layout) {
            throw attributes.wrong("layout", layout, "NCW, NCHW or NCDHW")
        }
    }

    public var detail: String {
        guard !globalPool, let kernel else { return "\(kind.rawValue), global" }
        return "\(kind.rawValue), \(Window.detail(kernel, stride ?? [1]))"
    }

    /// MXNet counts a workspace as a second output of a max pooling that has a kernel attribute; its earlier operator
    /// has none.
    public var storedOutputCount: Int { kind == .max && kernel != nil && operation == Self.name ? 2 : 1 }

    /// Kernel, stride and pad for data of a shape; a global pool's kernel is the whole image.
    public func window(_ data: Shape) throws -> (kernel: [Int], stride: [Int], pad: [Int]) {
        let axes = data.rank - 2
        guard (1...3).contains(axes) else {
            throw AnnealError("", "data has the shape \(data), pooling requires 3 to 5 axes")
        }
        let ones = Array(repeating: 1, count: axes), zeros = Array(repeating: 0, count: axes)
        if globalPool { return (Array(data.dims.dropFirst(2)), ones, zeros) }
        let window = (kernel: kernel ?? ones, stride: stride ?? ones, pad: pad ?? zeros)
        guard window.kernel.count == axes, window.stride.count == axes, window.pad.count == axes else {
            throw AnnealError("", "kernel, stride and pad do not have the \(axes) axes of data \(data)")
        }
        for axis in 0..<axes {
            guard window.kernel[axis] > 0, window.stride[axis] > 0, window.pad[axis] >= 0 else {
                throw AnnealError(
                    "", "kernel \(window.kernel), stride \(window.stride), pad \(window.pad) are out of range")
            }
            guard window.pad[axis] < window.kernel[axis] else {
                throw AnnealError("", "pad \(window.pad) must be less than the kernel \(window.kernel)")
            }
            guard window.kernel[axis] <= data[axis + 2] + 2 * window.pad[axis] else {
                throw AnnealError(
                    "", "the kernel \(window.kernel) is larger than the padded data \(data)",
                    suggestion: "the image is too small for this network")
            }
        }
        return window
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let (kernel, stride, pad) = try window(data)
        let extents = kernel.indices.map { axis in
            let span = data[axis + 2] + 2 * pad[axis] - kernel[axis]
            return 1 + (full ? (span + stride[axis] - 1) / stride[axis] : span / stride[axis])
        }
        if isFirstVersion, kind == .max {
            for axis in extents.indices where (extents[axis] - 1) * stride[axis] >= data[axis + 2] + 2 * pad[axis] {
                throw AnnealError(
                    "",
                    "with the kernel \(kernel), stride \(stride) and pooling_convention full the last windows lie "
                        + "outside the data \(data), and \(operation) gives -infinity there",
                    suggestion: "use pooling_convention valid, or Pooling", code: .unsupported)
            }
        }
        return [Shape(data.dims.prefix(2) + extents)]
    }

    /// The winners' spatial indices, 32-bit integers in the space of floats.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        kind == .max && !isFirstVersion ? [outputs[0]] : []
    }

    public var backward: [BackwardPart] {
        switch kind {
        case .max where isFirstVersion: [BackwardPart(reads: [.outputGradient(0), .input(0), .output(0)], writes: [0])]
        case .max: [BackwardPart(reads: [.saved(0), .outputGradient(0)], writes: [0])]
        case .lp: [BackwardPart(reads: [.outputGradient(0), .input(0), .output(0)], writes: [0])]
        case .avg, .sum: [BackwardPart(reads: [.outputGradient(0)], writes: [0])]
        }
    }

    /// Divides by the whole window for each output, including what lies outside the padded data.
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double {
        let taps = (try? window(inputs[0]).kernel.reduce(1, *)) ?? 1
        return Double(outputs[0].count) * Double(taps)
    }
}

extension SymbolBuilder {
    /// - Parameter data: (batch, channels, height, width)
    public func pooling(
        _ data: Symbol, kind: Pooling.Kind, kernel: [Int]? = nil, stride: [Int]? = nil, pad: [Int]? = nil,
        global: Bool? = nil, convention: String? = nil, name: String? = nil
    ) throws -> Symbol {
        try apply(
            Pooling.name, name: name, inputs: [data],
            attributes: [
                "kernel": kernel.map(AttributeText.tuple), "stride": stride.map(AttributeText.tuple),
                "pad": pad.map(AttributeText.tuple), "pool_type": kind.rawValue,
                "global_pool": global.map(AttributeText.bool), "pooling_convention": convention,
            ])
    }
}
