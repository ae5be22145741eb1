import AnnealCore

/// MXNet's `SoftmaxOutput`: softmax forward, and backward the gradient of the cross-entropy with the label.
///
/// data (batch, classes), label (batch,); with `multi_output` data (batch, classes, …), label (batch, …). A label of the
///  data's shape holds probabilities.
public struct SoftmaxOutput: SymbolOperator {
    public enum Normalization: String, CaseIterable, Sendable {
        case null
        /// The gradient is divided by the number of labels.
        case batch
        /// The gradient is divided by the number of labels that are not `ignore_label`.
        case valid
    }

    public static let name = "SoftmaxOutput"
    public static let aliases = ["Softmax"]
    public let gradScale: Float
    public let ignoreLabel: Float
    public let useIgnore: Bool
    public let multiOutput: Bool
    public let preserveShape: Bool
    public let normalization: Normalization
    public let outGrad: Bool
    public let smoothAlpha: Float
    /// Labels of the data's shape may sum to any s: the gradient is s p - label, that of -sum(label log p), under
    /// `normalization`. MXNet's own rule is p - label, without normalisation. Set by training; no file contains it.
    package let labelSum: Bool
    static let labelSumAttribute = "label_sum"

    public init(_ attributes: inout AttributeReader) throws {
        gradScale = try attributes.float("grad_scale", default: 1)
        ignoreLabel = try attributes.float("ignore_label", default: -1)
        useIgnore = try attributes.bool("use_ignore", default: false)
        multiOutput = try attributes.bool("multi_output", default: false)
        preserveShape = try attributes.bool("preserve_shape", default: false)
        normalization = try attributes.choice("normalization", default: .null)
        outGrad = try attributes.bool("out_grad", default: false)
        smoothAlpha = try attributes.float("smooth_alpha", default: 0)
        labelSum = try attributes.bool(Self.labelSumAttribute, default: false)
    }

    public var inputNames: [String] { ["data", "label"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard data.rank >= 2 else {
            throw AnnealError("", "data has the shape \(data), SoftmaxOutput requires (batch, classes)")
        }
        // MXNet accepts (batch, positions…), (batch, all positions) and the data's own shape.
        if let label = inputs[1] {
            let positions = Shape([data[0]] + data.dims.dropFirst(2))
            let fits =
                label == data || label.count == data.count / classAxisExtent(data) && label[0] == data[0]
                || label == positions
            guard fits else { throw AnnealError("", "label has the shape \(label), data has \(data)") }
        } else if multiOutput {
            inputs[1] = Shape([data[0]] + data.dims.dropFirst(2))
        } else {
            inputs[1] = Shape(Array(data.dims.dropLast()))
        }
        return [data]
    }

    /// Softmax is taken over the middle axis of (outer, classes, inner).
    public func axes(_ data: Shape) -> (outer: Int, classes: Int, inner: Int) {
        if multiOutput { return (data[0], data[1], data.dims.dropFirst(2).reduce(1, *)) }
        if preserveShape { return (data.dims.dropLast().reduce(1, *), data[-1], 1) }
        return (data[0], data.dims.dropFirst().reduce(1, *), 1)
    }

    private func classAxisExtent(_ data: Shape) -> Int { axes(data).classes }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .output(0)], writes: [0])] }
    public var isLoss: Bool { true }
}

extension SymbolBuilder {
    /// - Parameters:
    ///   - data: (batch, classes)
    ///   - label: (batch,); made as the variable `NAME_label` if nil.
    public func softmaxOutput(_ data: Symbol, label: Symbol? = nil, name: String? = nil) throws -> Symbol {
        try apply(SoftmaxOutput.name, name: name, hint: "softmaxoutput", inputs: [data] + (label.map { [$0] } ?? []))
    }
}
