import AnnealCore

public protocol RegressionFunction: Sendable { static var name: String { get } }

/// A regression's output: the data (or its sigmoid) forward, and backward the difference from the label times
/// `grad_scale` / outputs of a sample.
public struct RegressionOutput<Function: RegressionFunction>: Operator {
    public static var name: String { Function.name }
    public let gradScale: Float
    public init(_ attributes: inout AttributeReader) throws {
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
            // One output a sample: the label needs no second axis.
            inputs[1] = data.rank == 2 && data[1] == 1 ? [data[0]] : data
        }
        return [data]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .output(0)], writes: [0])] }
    public var isLoss: Bool { true }
}

public enum Regressions {
    public enum Linear: RegressionFunction { public static let name = "LinearRegressionOutput" }
    /// The output is the sigmoid.
    public enum Logistic: RegressionFunction { public static let name = "LogisticRegressionOutput" }
    /// The gradient is the difference's sign.
    public enum AbsoluteError: RegressionFunction { public static let name = "MAERegressionOutput" }

    static let operators: [any Operator.Type] = [
        RegressionOutput<Linear>.self, RegressionOutput<Logistic>.self, RegressionOutput<AbsoluteError>.self,
    ]
}

/// MXNet's `SVMOutput`: the data forward, and backward the gradient of a hinge loss, squared unless `use_linear`.
public struct SVMOutput: Operator {
    public static let name = "SVMOutput"
    public let margin: Float
    public let regularizationCoefficient: Float
    public let useLinear: Bool

    public init(_ attributes: inout AttributeReader) throws {
        margin = try attributes.float("margin", default: 1)
        regularizationCoefficient = try attributes.float("regularization_coefficient", default: 1)
        useLinear = try attributes.bool("use_linear", default: false)
    }

    public var inputNames: [String] { ["data", "label"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard data.rank >= 2 else {
            throw AnnealError("", "data has the shape \(data), SVMOutput wants (batch, classes)")
        }
        try expect(&inputs[1], Shape(Array(data.dims.dropLast())), "label")
        return [data]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .output(0)], writes: [0])] }
    public var isLoss: Bool { true }
}

/// MXNet's `MakeLoss`: the data as a loss; its gradient is `grad_scale`, divided as `normalization` says.
public struct MakeLoss: Operator {
    public enum Normalization: String, CaseIterable, Sendable {
        case null
        /// By the rows.
        case batch
        /// By the values above `valid_thresh`.
        case valid
    }

    public static let name = "MakeLoss"
    public let gradScale: Float
    public let validThresh: Float
    public let normalization: Normalization

    public init(_ attributes: inout AttributeReader) throws {
        gradScale = try attributes.float("grad_scale", default: 1)
        validThresh = try attributes.float("valid_thresh", default: 0)
        normalization = try attributes.choice("normalization", default: .null)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var backward: [BackwardPart] {
        [BackwardPart(reads: normalization == .valid ? [.input(0)] : [], writes: [0])]
    }
    public var isLoss: Bool { true }
}

/// MXNet's `make_loss`: the data as a loss, with a gradient of 1.
public struct MakeLossLower: Operator {
    public static let name = "make_loss"
    public init(_ attributes: inout AttributeReader) throws {}
    public var outputNames: [String] { ["loss"] }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var backward: [BackwardPart] { [BackwardPart(reads: [], writes: [0])] }
    public var isLoss: Bool { true }
}

/// MXNet's `BlockGrad` (`stop_gradient`): the data forward, and no gradient.
public struct BlockGrad: Operator {
    public static let name = "BlockGrad"
    public static let aliases = ["stop_gradient"]
    public init(_ attributes: inout AttributeReader) throws {}
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var isView: Bool { true }
    public var backward: [BackwardPart] { [] }
}
