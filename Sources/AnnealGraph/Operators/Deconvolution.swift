import AnnealCore

/// MXNet's `Deconvolution` (transposed convolution): data (batch, channels, …), weight (channels, filters / groups,
/// kernel…); each output extent is stride (x - 1) + dilate (kernel - 1) + 1 - 2 pad + adj, unless `target_shape` says
/// it.
public struct Deconvolution: Operator {
    public static let name = "Deconvolution"
    public let window: Window
    public let numFilter: Int
    public let numGroup: Int
    public let noBias: Bool
    private let adj: [Int]
    private let targetShape: [Int]?

    public init(_ attributes: inout AttributeReader) throws {
        window = try Window(&attributes)
        numFilter = try attributes.required("num_filter")
        numGroup = try attributes.int("num_group", default: 1)
        noBias = try attributes.bool("no_bias", default: true)
        adj = try attributes.tuple("adj") ?? window.kernel.map { _ in 0 }
        targetShape = try attributes.tuple("target_shape").flatMap { $0.contains { $0 > 0 } ? $0 : nil }
        attributes.ignore("workspace", "cudnn_tune", "cudnn_off")
        if let layout = attributes.string("layout"), !["NCW", "NCHW", "NCDHW"].contains(layout) {
            throw attributes.wrong("layout", layout, "NCW, NCHW or NCDHW")
        }
        guard adj.count == window.kernel.count, zip(adj, window.stride).allSatisfy({ $0 >= 0 && $0 < $1 || $0 == 0 })
        else {
            throw attributes.wrong("adj", "\(adj)", "less than the stride for each axis")
        }
        guard targetShape.map({ $0.count == window.kernel.count && $0.allSatisfy { $0 > 0 } }) ?? true else {
            throw attributes.wrong("target_shape", "\(targetShape ?? [])", "\(window.kernel.count) positive numbers")
        }
        guard numFilter > 0, numGroup > 0, numFilter % numGroup == 0 else {
            throw AnnealError("", "num_filter \(numFilter) is not a multiple of num_group \(numGroup)")
        }
    }

    public var inputNames: [String] { noBias ? ["data", "weight"] : ["data", "weight", "bias"] }

    /// The padding and what is added at the far end, for data of a shape; `target_shape` overrides both.
    public func geometry(_ data: Shape) throws -> (pad: [Int], adj: [Int]) {
        guard let targetShape else { return (window.pad, adj) }
        let whole = fullExtents(data)
        let excess = zip(whole, targetShape).map(-)
        guard excess.allSatisfy({ $0 >= 0 }) else {
            throw AnnealError("", "target_shape \(targetShape) is larger than the \(whole) that data \(data) gives")
        }
        return (excess.map { ($0 + 1) / 2 }, excess.map { $0 % 2 })
    }

    private func fullExtents(_ data: Shape) -> [Int] {
        window.kernel.indices.map {
            window.stride[$0] * (data[$0 + 2] - 1) + window.dilate[$0] * (window.kernel[$0] - 1) + 1
        }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        try window.check(data)
        guard data[1] % numGroup == 0 else {
            throw AnnealError("", "\(data[1]) channels do not divide into num_group \(numGroup)")
        }
        try expect(&inputs[1], Shape([data[1], numFilter / numGroup] + window.kernel), "weight")
        if !noBias { try expect(&inputs[2], [numFilter], "bias") }
        let (pad, adj) = try geometry(data)
        let extents = fullExtents(data).enumerated().map { $1 - 2 * pad[$0] + adj[$0] }
        return [Shape([data[0], numFilter] + extents)]
    }

    public var backward: [BackwardPart] {
        [
            BackwardPart(reads: [.input(0), .head(0)], writes: noBias ? [1] : [1, 2]),
            BackwardPart(reads: [.input(1), .head(0)], writes: [0]),
        ]
    }
}

/// MXNet's `UpSampling`: images `scale` times as large, by nearest neighbours or a bilinear deconvolution; several
/// images are brought to one size and joined or added.
public struct UpSampling: Operator {
    public enum Sample: String, CaseIterable, Sendable { case nearest, bilinear }
    public enum Several: String, CaseIterable, Sendable { case concat, sum }

    public static let name = "UpSampling"
    public let scale: Int
    public let sample: Sample
    public let several: Several
    public let numArgs: Int

    public init(_ attributes: inout AttributeReader) throws {
        scale = try attributes.required("scale")
        sample = try attributes.choice("sample_type", default: nil)
        several = try attributes.choice("multi_input_mode", default: .concat)
        numArgs = try attributes.int("num_args", default: 1)
        attributes.ignore("workspace", "num_filter")
        guard scale > 0, (1...maximumInputs).contains(numArgs) else {
            throw AnnealError("", "UpSampling has scale \(scale) and num_args \(numArgs)")
        }
    }

    public var inputNames: [String] {
        sample == .bilinear ? ["data", "weight"] : (0..<numArgs).map { "arg\($0)" }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let first = inputs[0] else { return nil }
        guard first.rank == 4 else { throw AnnealError("", "data has the shape \(first), UpSampling wants images") }
        var output = first
        output[2] *= scale
        output[3] *= scale
        if sample == .bilinear {
            let side = 2 * scale - scale % 2
            try expect(&inputs[1], [first[1], 1, side, side], "weight")
            return [output]
        }
        for (index, input) in inputs.enumerated().dropFirst() {
            guard let input else { return nil }
            guard input.rank == 4, input[0] == first[0], output[2] % input[2] == 0, output[3] % input[3] == 0,
                output[2] / input[2] == output[3] / input[3], several == .concat || input[1] == first[1]
            else { throw AnnealError("", "arg\(index) has the shape \(input), which does not go with \(first)") }
            if several == .concat { output[1] += input[1] }
        }
        return [output]
    }

    public var backward: [BackwardPart] {
        sample == .bilinear
            ? [BackwardPart(reads: [.input(0), .input(1), .head(0)], writes: [0, 1])]
            : [BackwardPart(reads: [.head(0)], writes: Array(0..<numArgs))]
    }
}
