import AnnealCore

/// MXNet's regression losses: the output is the data (the sigmoid of it for the logistic one), the gradient
/// (out - label) (its sign for the mean absolute error) times grad_scale / outputs of a sample.
public struct RegressionOutput: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable {
        case linear = "LinearRegressionOutput"
        case logistic = "LogisticRegressionOutput"
        case absolute = "MAERegressionOutput"
    }

    public static let name = "regression output"
    public let member: Member
    public let gradScale: Float

    public init(_ member: Member, _ attributes: inout AttributeReader) throws {
        self.member = member
        gradScale = try attributes.float("grad_scale", default: 1)
    }

    public var inputNames: [String] { ["data", "label"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        if let label = inputs[1] {
            guard label.count == data.count, label[0] == data[0] else {
                throw AnnealError("", "label has the shape \(label), data has \(data)")
            }
        } else {
            inputs[1] = data.rank == 2 && data[1] == 1 ? [data[0]] : data
        }
        return [data]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .output(0)], writes: [0])] }
    public var isLoss: Bool { true }
}

/// MXNet's `SVMOutput`: the output is the data; the gradient is that of the hinge loss, squared unless `use_linear`.
/// data (batch, classes), label (batch,).
public struct SVMOutput: SymbolOperator {
    public static let name = "SVMOutput"
    public let margin: Float
    public let regularization: Float
    public let useLinear: Bool

    public init(_ attributes: inout AttributeReader) throws {
        margin = try attributes.float("margin", default: 1)
        regularization = try attributes.float("regularization_coefficient", default: 1)
        useLinear = try attributes.bool("use_linear", default: false)
    }

    public var inputNames: [String] { ["data", "label"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard data.rank >= 2 else {
            throw AnnealError("", "data has the shape \(data), SVMOutput requires (batch, classes)")
        }
        try expect(&inputs[1], Shape(Array(data.dims.dropLast())), "label")
        return [data]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .output(0)], writes: [0])] }
    public var isLoss: Bool { true }
}

extension SymbolBuilder {
    /// - Parameter label: of the data's shape; made as the variable `NAME_label` if nil.
    public func regressionOutput(
        _ loss: RegressionOutput.Member, _ data: Symbol, label: Symbol? = nil, name: String? = nil
    ) throws -> Symbol {
        try apply(loss.rawValue, name: name, inputs: [data] + (label.map { [$0] } ?? []))
    }
}
