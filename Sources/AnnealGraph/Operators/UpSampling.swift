import AnnealCore

/// MXNet's `UpSampling`: scales height and width by `scale`. `nearest` repeats elements, and scales further inputs to
/// the same size, which are concatenated along the channels or summed; `bilinear` is a deconvolution of each channel
/// with the input weight (channels, 1, k, k), k = 2 scale - scale % 2.
public struct UpSampling: SymbolOperator {
    public enum Sample: String, CaseIterable, Sendable { case nearest, bilinear }
    public enum Join: String, CaseIterable, Sendable { case concat, sum }
    public static let name = "UpSampling"
    public let scale: Int
    public let sample: Sample
    public let join: Join
    public let numArgs: Int

    public init(_ attributes: inout AttributeReader) throws {
        scale = try attributes.required("scale")
        sample = try attributes.choice("sample_type", default: nil)
        join = try attributes.choice("multi_input_mode", default: .concat)
        numArgs = try attributes.int("num_args", default: 1)
        attributes.ignore("num_filter", "workspace")
        guard scale > 0, scale <= 1000 else { throw attributes.wrong("scale", "\(scale)", "1 to 1000") }
        guard (1...maximumInputs).contains(numArgs) else {
            throw attributes.wrong("num_args", "\(numArgs)", "a positive number")
        }
    }

    public var inputNames: [String] { sample == .bilinear ? ["data", "weight"] : (0..<numArgs).map { "arg\($0)" } }

    /// The bilinear case.
    package func deconvolution(channels: Int) -> Deconvolution {
        Deconvolution(upsamplingBy: scale, channels: channels)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let first = inputs[0] else { return nil }
        guard first.rank == 4 else {
            throw AnnealError("", "data has the shape \(first), it must be (batch, channels, height, width)")
        }
        if sample == .bilinear { return try deconvolution(channels: first[1]).inferShapes(&inputs) }
        var output: Shape = [first[0], 0, first[2] * scale, first[3] * scale]
        for (index, input) in inputs.enumerated() {
            guard let input else { return nil }
            guard input.rank == 4, input[0] == output[0], output[2] % input[2] == 0, output[3] % input[3] == 0,
                output[2] / input[2] == output[3] / input[3]
            else { throw AnnealError("", "arg\(index) has the shape \(input), which does not scale to \(output)") }
            guard join == .concat || input[1] == first[1] else {
                throw AnnealError("", "arg\(index) has the shape \(input), a sum requires \(first[1]) channels")
            }
            output[1] = join == .sum ? input[1] : output[1] + input[1]
        }
        return [output]
    }

    public var backward: [BackwardPart] {
        sample == .bilinear
            ? deconvolution(channels: 1).backward
            : (0..<numArgs).map { BackwardPart(reads: [.outputGradient(0)], writes: [$0]) }
    }
}
