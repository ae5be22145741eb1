import AnnealCore

/// MXNet's `Convolution` over 1 to 3 spatial axes: data (batch, channels, …), weight (filters, channels / groups,
/// kernel…), bias (filters,); each output extent is floor((x + 2 pad - dilate (kernel - 1) - 1) / stride) + 1.
public struct Convolution: SymbolOperator {
    public static let name = "Convolution"
    public static let earlierNames = ["Convolution_v1"]
    public let operation: String
    public let window: Window
    public let numFilter: Int
    public let numGroup: Int
    public package(set) var noBias: Bool

    public init(_ attributes: inout AttributeReader) throws {
        operation = attributes.operation
        window = try Window(&attributes)
        numFilter = try attributes.required("num_filter")
        numGroup = try attributes.int("num_group", default: 1)
        noBias = try attributes.bool("no_bias", default: false)
        attributes.ignore("workspace", "cudnn_tune", "cudnn_off")
        if let layout = attributes.string("layout"), !["NCW", "NCHW", "NCDHW"].contains(layout) {
            throw attributes.wrong("layout", layout, "NCW, NCHW or NCDHW")
        }
        guard numFilter > 0 else { throw attributes.wrong("num_filter", "\(numFilter)", "positive") }
        guard numGroup > 0, numFilter % numGroup == 0 else {
            throw AnnealError("", "num_filter \(numFilter) is not a multiple of num_group \(numGroup)")
        }
    }

    public var inputNames: [String] { noBias ? ["data", "weight"] : ["data", "weight", "bias"] }
    public var detail: String { "\(window.detail), \(numFilter)" + (numGroup > 1 ? ", \(numGroup) groups" : "") }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        try window.check(data)
        guard data[1] % numGroup == 0 else {
            throw AnnealError("", "\(data[1]) channels do not divide into num_group \(numGroup)")
        }
        try expect(&inputs[1], Shape([numFilter, data[1] / numGroup] + window.kernel), "weight")
        if !noBias { try expect(&inputs[2], [numFilter], "bias") }
        return [Shape([data[0], numFilter] + window.outputExtents(data))]
    }

    /// The gradients of the data and of the parameters are separate, since either may not be needed.
    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(0), .outputGradient(0)], writes: noBias ? [1] : [1, 2]),
            BackwardPart(reads: [.input(1), .outputGradient(0)], writes: [0]),
        ]
    }

    public func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double {
        Double(outputs[0].count) * Double(inputs[1].dims.dropFirst().reduce(1, *))
    }
}

/// The kernel, stride, pad and dilation of a convolution, one number for each spatial axis.
public struct Window: Sendable, Equatable {
    public var kernel: [Int]
    public var stride: [Int]
    public var pad: [Int]
    public var dilate: [Int]

    init(kernel: [Int], stride: [Int], pad: [Int], dilate: [Int]) {
        self.kernel = kernel
        self.stride = stride
        self.pad = pad
        self.dilate = dilate
    }

    init(_ attributes: inout AttributeReader) throws {
        guard let kernel = try attributes.factors("kernel") else {
            throw AnnealError("", "the attribute kernel is missing")
        }
        guard (1...3).contains(kernel.count), kernel.allSatisfy({ $0 > 0 }) else {
            throw attributes.wrong("kernel", "\(kernel)", "1 to 3 positive numbers")
        }
        func axes(_ key: String, _ fallback: Int, _ values: [Int]?) throws -> [Int] {
            guard let values else { return kernel.map { _ in fallback } }
            guard values.count == kernel.count, values.allSatisfy({ $0 >= fallback }) else {
                throw attributes.wrong(key, "\(values)", "\(kernel.count) numbers of at least \(fallback)")
            }
            return values
        }
        self.kernel = kernel
        stride = try axes("stride", 1, try attributes.factors("stride"))
        pad = try axes("pad", 0, try attributes.factors("pad"))
        dilate = try axes("dilate", 1, try attributes.factors("dilate"))
    }

    /// `3x3/2`, or `3x3/2x1` for strides that differ.
    var detail: String { Window.detail(kernel, stride) }

    static func detail(_ kernel: [Int], _ stride: [Int]) -> String {
        let isSquare = stride.allSatisfy { $0 == stride[0] }
        return [kernel, isSquare ? Array(stride.prefix(1)) : stride]
            .map { $0.map(String.init).joined(separator: "x") }.joined(separator: "/")
    }

    func check(_ data: Shape) throws {
        guard data.rank == kernel.count + 2 else {
            throw AnnealError(
                "", "data has the shape \(data), a kernel of \(kernel.count) axes requires \(kernel.count + 2) axes")
        }
    }

    public func outputExtents(_ data: Shape) -> [Int] {
        kernel.indices.map { axis in
            let span = data[axis + 2] + 2 * pad[axis] - dilate[axis] * (kernel[axis] - 1) - 1
            return span < 0 ? 0 : span / stride[axis] + 1
        }
    }
}

extension Convolution: LinearLayer {
    package func channelsOfWeight(output: Shape) -> (axis: Int, groups: Int)? { (0, 1) }
}

extension SymbolBuilder {
    /// - Parameters:
    ///   - data: (batch, channels, height, width)
    ///   - workspace: has no effect; MXNet's networks set it.
    public func convolution(
        _ data: Symbol, numFilter: Int, kernel: [Int], stride: [Int]? = nil, pad: [Int]? = nil, dilate: [Int]? = nil,
        numGroup: Int? = nil, noBias: Bool? = nil, workspace: Int? = nil, weight: Symbol? = nil, name: String? = nil
    ) throws -> Symbol {
        try apply(
            Convolution.name, name: name, inputs: [data] + (weight.map { [$0] } ?? []),
            attributes: [
                "kernel": AttributeText.tuple(kernel), "num_filter": "\(numFilter)",
                "stride": stride.map(AttributeText.tuple), "pad": pad.map(AttributeText.tuple),
                "dilate": dilate.map(AttributeText.tuple), "num_group": numGroup.map(String.init),
                "no_bias": noBias.map(AttributeText.bool), "workspace": workspace.map(String.init),
            ])
    }
}
