import AnnealCore

/// MXNet's `Deconvolution`, the transpose of a convolution: data (batch, channels, …), weight (channels, filters / groups,
/// kernel…), bias (filters,); each output extent is stride (x - 1) + dilate (kernel - 1) + 1 - 2 pad + adj.
public struct Deconvolution: SymbolOperator {
    public static let name = "Deconvolution"
    public let window: Window
    public let adj: [Int]
    /// Output extents that determine pad and adj; 0 leaves an axis to them.
    public let targetShape: [Int]?
    public let numFilter: Int
    public let numGroup: Int
    public package(set) var noBias: Bool

    public init(_ attributes: inout AttributeReader) throws {
        window = try Window(&attributes)
        adj = try attributes.tuple("adj") ?? window.kernel.map { _ in 0 }
        let target = try attributes.tuple("target_shape")
        targetShape = target?.contains { $0 != 0 } == true ? target : nil
        numFilter = try attributes.required("num_filter")
        numGroup = try attributes.int("num_group", default: 1)
        noBias = try attributes.bool("no_bias", default: true)
        attributes.ignore("workspace", "cudnn_tune", "cudnn_off")
        if let layout = attributes.string("layout"), !["NCW", "NCHW", "NCDHW"].contains(layout) {
            throw attributes.wrong("layout", layout, "NCW, NCHW or NCDHW")
        }
        guard numFilter > 0 else { throw attributes.wrong("num_filter", "\(numFilter)", "positive") }
        guard numGroup > 0, numFilter % numGroup == 0 else {
            throw AnnealError("", "num_filter \(numFilter) is not a multiple of num_group \(numGroup)")
        }
        guard adj.count == window.kernel.count, zip(adj, window.stride).allSatisfy({ $0 >= 0 && $0 < $1 }) else {
            throw attributes.wrong("adj", "\(adj)", "less than the stride \(window.stride), one number for each axis")
        }
        if let targetShape, targetShape.count != window.kernel.count || targetShape.contains(where: { $0 < 0 }) {
            throw attributes.wrong("target_shape", "\(targetShape)", "one number for each axis of the kernel")
        }
    }

    /// The bilinear case of `UpSampling`: each channel separately.
    init(upsamplingBy scale: Int, channels: Int) {
        let pad = scale / 2
        window = Window(
            kernel: [2 * scale - scale % 2, 2 * scale - scale % 2], stride: [scale, scale], pad: [pad, pad],
            dilate: [1, 1])
        adj = [0, 0]
        targetShape = nil
        numFilter = channels
        numGroup = channels
        noBias = true
    }

    public var inputNames: [String] { noBias ? ["data", "weight"] : ["data", "weight", "bias"] }
    public var detail: String { "\(window.detail), \(numFilter)" + (numGroup > 1 ? ", \(numGroup) groups" : "") }

    /// Padding and adjustment for data of a shape: `target_shape` overrides the given values.
    public func padding(_ data: Shape) throws -> (pad: [Int], adj: [Int]) {
        guard let targetShape else { return (window.pad, adj) }
        var result = (pad: window.pad, adj: adj)
        for axis in targetShape.indices where targetShape[axis] != 0 {
            let full = fullExtent(data, axis)
            guard targetShape[axis] <= full else {
                throw AnnealError("", "target_shape \(targetShape) is larger than the output without padding, \(full)")
            }
            let surplus = full - targetShape[axis]
            result.adj[axis] = surplus % 2
            result.pad[axis] = (surplus + 1) / 2
        }
        return result
    }

    /// The output extent without padding.
    private func fullExtent(_ data: Shape, _ axis: Int) -> Int {
        window.stride[axis] * (data[axis + 2] - 1) + window.dilate[axis] * (window.kernel[axis] - 1) + 1
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        try window.check(data)
        guard data[1] % numGroup == 0 else {
            throw AnnealError("", "\(data[1]) channels do not divide into num_group \(numGroup)")
        }
        try expect(&inputs[1], Shape([data[1], numFilter / numGroup] + window.kernel), "weight")
        if !noBias { try expect(&inputs[2], [numFilter], "bias") }
        let (pad, adj) = try padding(data)
        let extents = window.kernel.indices.map { fullExtent(data, $0) - 2 * pad[$0] + adj[$0] }
        return [Shape([data[0], numFilter] + extents)]
    }

    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(0), .outputGradient(0)], writes: noBias ? [1] : [1, 2]),
            BackwardPart(reads: [.input(1), .outputGradient(0)], writes: [0]),
        ]
    }

    public func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double {
        Double(inputs[0].count) * Double(inputs[1].dims.dropFirst().reduce(1, *))
    }
}

extension Deconvolution: LinearLayer {
    package func channelsOfWeight(output: Shape) -> (axis: Int, groups: Int)? { (1, numGroup) }
}

extension SymbolBuilder {
    /// - Parameter data: (batch, channels, height, width)
    public func deconvolution(
        _ data: Symbol, numFilter: Int, kernel: [Int], stride: [Int]? = nil, pad: [Int]? = nil, adj: [Int]? = nil,
        numGroup: Int? = nil, noBias: Bool? = nil, name: String? = nil
    ) throws -> Symbol {
        try apply(
            Deconvolution.name, name: name, inputs: [data],
            attributes: [
                "kernel": AttributeText.tuple(kernel), "num_filter": "\(numFilter)",
                "stride": stride.map(AttributeText.tuple), "pad": pad.map(AttributeText.tuple),
                "adj": adj.map(AttributeText.tuple), "num_group": numGroup.map(String.init),
                "no_bias": noBias.map(AttributeText.bool),
            ])
    }
}
