import AnnealCore

/// What a compiler and its engines need to know about an operator: shapes, what its gradient reads, what it costs.
///
/// Operators that a symbol can name are `SymbolOperator`s, one file each under `Operators/`; passes add some of their own,
/// such as fused ones. An engine's kernels are in a file of the same name in that engine.
public protocol Operator: Sendable {
    /// Its name in messages, plans and profiles; for a `SymbolOperator`, MXNet's name.
    var operation: String { get }

    /// Names of the inputs without the auxiliary ones.
    var inputNames: [String] { get }
    var outputNames: [String] { get }

    /// Fills in input shapes that follow from the others and gives the output shapes, or nil if not enough is known.
    /// Throws an error, without the layer's name, when shapes do not fit.
    func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]?

    /// Shapes of the arrays that the forward pass saves for the backward pass in addition to its outputs (in training
    /// only).
    func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape]
    /// The backward pass in parts; a part is dropped if none of its gradients is needed. An input that no part writes
    /// has a gradient of zero.
    var backward: [BackwardPart] { get }
    /// Multiply-adds of a forward pass, the cost that papers report: those of convolutions and matrix products without
    /// the bias, and zero for all other operators.
    func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double
    /// Floating-point operations of a forward pass in inference: two for a multiply-add; otherwise one for each
    /// computed element unless the operator knows better, and none for data movement.
    func flops(inputs: [Shape], outputs: [Shape]) -> Double

    /// The outputs are those of a loss: the backward pass starts here and reads no output gradient.
    var isLoss: Bool { get }
    /// The output is the input's memory under another shape: nothing is computed (plain layouts only).
    var isView: Bool { get }
    /// The output is the sum of the inputs, which all have its shape: its gradient is that of each input.
    var isSum: Bool { get }
    /// The output is max(x, 0) of the only input.
    var isReLU: Bool { get }
    /// The output is the only input, clamped to a range; nil for any other operator.
    var clipRange: ClosedRange<Float>? { get }
    /// The output has the input's shape and values in another layout.
    var changesLayoutOnly: Bool { get }
    /// Outputs that stay float32 when layers compute in another type: statistics and indices.
    var exactOutputs: Set<Int> { get }
    /// Inputs that a training step changes in place: batch norm's moving statistics, and a gamma that it fixes.
    var changedInputs: [Int] { get }
    /// The arrays saved by the forward pass are statistics of its input; recomputing the layer can reuse them.
    var savesStatistics: Bool { get }
    /// Several operators that a pass has joined.
    var isFused: Bool { get }
    /// The output is the input, and the gradient passes through: engines never see such an operator. A property of the
    /// type, since engines are asked by type which operators they run.
    static var isIdentity: Bool { get }
}

/// A layer that is linear in its weight (input 1) and adds an optional bias (input 2). In inference, a batch norm that
/// follows can be folded into both.
package protocol LinearLayer: Operator {
    var noBias: Bool { get set }
    /// Where the output's channels (axis 1) are in the weight: an axis, within each of a number of groups; nil if axis
    /// 1 is not the channels.
    func channelsOfWeight(output: Shape) -> (axis: Int, groups: Int)?
}

/// A part of an operator's backward pass.
public struct BackwardPart: Sendable {
    /// An array that the backward pass reads.
    public enum Read: Sendable, Equatable {
        case input(Int)
        case output(Int)
        case saved(Int)
        /// The gradient of an output.
        case outputGradient(Int)
    }

    public let reads: [Read]
    /// The inputs for which it computes gradients.
    public let writes: [Int]
    /// Further inputs with the same gradient as the first of these, which is computed once.
    public let sharing: [Int]

    /// - Parameters:
    ///   - reads: the arrays that it reads.
    ///   - writes: indices of the inputs for which it computes gradients.
    ///   - sharing: further inputs with the same gradient as the first of these.
    public init(reads: [Read], writes: [Int], sharing: [Int] = []) {
        self.reads = reads
        self.writes = writes
        self.sharing = sharing
    }
}

extension Operator {
    public var inputNames: [String] { ["data"] }
    public var outputNames: [String] { ["output"] }
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] { [] }
    public var isLoss: Bool { false }
    public var isView: Bool { false }
    public var isSum: Bool { false }
    public var isReLU: Bool { false }
    public var clipRange: ClosedRange<Float>? { isReLU ? 0...Float.infinity : nil }
    public var changesLayoutOnly: Bool { false }
    public var exactOutputs: Set<Int> { [] }
    public var changedInputs: [Int] { [] }
    public var savesStatistics: Bool { false }
    public var isFused: Bool { false }
    public static var isIdentity: Bool { false }
    public func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double {
        if isView { return 0 }
        let products = multiplyAdds(inputs: inputs, outputs: outputs)
        return products > 0 ? 2 * products : Double(outputs[0].count)
    }

    /// One part that reads all inputs, all outputs and all output gradients and computes every gradient.
    public var backward: [BackwardPart] {
        let inputs = inputNames.indices, outputs = outputNames.indices
        return [
            BackwardPart(
                reads: inputs.map { .input($0) } + outputs.map { .output($0) } + outputs.map { .outputGradient($0) },
                writes: Array(inputs))
        ]
    }

    /// The first input's shape, for operators that keep it.
    package func sameShape(_ inputs: inout [Shape?]) throws -> [Shape]? { inputs[0].map { [$0] } }

    /// All inputs have the same shape, which any of them determines.
    package func unify(_ inputs: inout [Shape?]) throws -> Shape? {
        guard let shape = inputs.lazy.compactMap({ $0 }).first else { return nil }
        let names = inputNames
        for index in inputs.indices { try expect(&inputs[index], shape, names[index]) }
        return shape
    }

    /// An axis from the front; a negative one counts from the end.
    package func axisIndex(_ axis: Int, of data: Shape) throws -> Int {
        guard axis >= -data.rank, axis < data.rank else {
            throw AnnealError("", "axis \(axis) is outside the shape \(data)")
        }
        return axis < 0 ? axis + data.rank : axis
    }

    /// The extents before an axis, along it, and after it.
    package func extents(of data: Shape, around axis: Int) -> (outer: Int, axis: Int, inner: Int) {
        let axis = axis < 0 ? axis + data.rank : axis
        return (data.dims[..<axis].reduce(1, *), data.dims[axis], data.dims[(axis + 1)...].reduce(1, *))
    }

    /// Sets an input's shape, or checks it.
    package func expect(_ input: inout Shape?, _ shape: Shape, _ name: String) throws {
        if let given = input, given != shape {
            throw AnnealError("", "\(name) has the shape \(given), \(operation) requires \(shape)")
        }
        input = shape
    }
}
