import AnnealCore

/// What a compiler and its engines need to know of an operator: shapes, what its gradient reads, what it costs.
///
/// Operators that a symbol can name are `SymbolOperator`s, one file each under `Operators/`; passes add some of their own,
/// such as fused ones. An engine's kernels are in a file of the same name in that engine.
public protocol Operator: Sendable {
    /// Its name in messages, plans and profiles; of a `SymbolOperator` the name that MXNet gives it.
    var operation: String { get }

    /// Names of the inputs without the auxiliary ones.
    var inputNames: [String] { get }
    var outputNames: [String] { get }

    /// Fills in input shapes that follow from the others and gives the output shapes, or nil if not enough is known.
    /// Throws an error, without the layer's name, when shapes do not fit.
    func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]?

    /// Shapes of what the forward pass leaves for the backward pass besides its outputs (in training only).
    func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape]
    /// The backward pass in parts; a part none of whose gradients is wanted is dropped. An input that no part writes has
    /// a gradient of zero.
    var backward: [BackwardPart] { get }
    /// Multiply-adds of a forward pass, what papers give as a network's cost: those of convolutions and matrix products
    /// without the bias, nothing elsewhere.
    func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double
    /// Floating-point operations of a forward pass in inference: two for a multiply-add; elsewhere, unless an operator
    /// knows better, one for each number that it computes, and none for moving numbers.
    func flops(inputs: [Shape], outputs: [Shape]) -> Double

    /// The outputs are those of a loss: the backward pass starts here and reads no output gradient.
    var isLoss: Bool { get }
    /// The output is the input's memory under another shape: nothing is computed (plain layouts only).
    var isView: Bool { get }
    /// The output is the sum of the inputs, which all have its shape: its gradient is that of each input.
    var isSum: Bool { get }
    /// The output is max(x, 0) of the only input.
    var isReLU: Bool { get }
    /// The output is the only input, limited to a range; nil if it is something else.
    var clipRange: ClosedRange<Float>? { get }
    /// The output has the input's shape and values in another layout.
    var changesLayoutOnly: Bool { get }
    /// Outputs that are float32 whatever flows between layers: statistics and indices.
    var exactOutputs: Set<Int> { get }
    /// Inputs that a training step changes in place: batch norm's moving statistics, and a gamma that it fixes.
    var changedInputs: [Int] { get }
    /// What the forward pass saves are statistics of its input, with which a repetition need not take them again.
    var savesStatistics: Bool { get }
    /// A pass has joined several operators in it.
    var isFused: Bool { get }
    /// The output is the input, and the gradient passes through: no engine ever sees such an operator. A property of the
    /// type, since engines are asked by type what they run.
    static var isIdentity: Bool { get }
}

/// A layer that is linear in its weight (input 1) and adds a bias (input 2), if it has one. In inference, batch norm of its
/// output can become a part of both.
package protocol LinearLayer: Operator {
    var noBias: Bool { get set }
    /// Where the channels of the output, its axis 1, are in the weight: an axis, which counts within each of some groups; nil
    /// if axis 1 is not the channels.
    func channelsOfWeight(output: Shape) -> (axis: Int, groups: Int)?
}

/// A part of an operator's backward pass.
public struct BackwardPart: Sendable {
    public enum Read: Sendable, Equatable {
        case input(Int)
        case output(Int)
        case saved(Int)
        /// The gradient of an output.
        case head(Int)
    }

    public let reads: [Read]
    /// The inputs whose gradients it gives.
    public let writes: [Int]
    /// Further inputs that have the same gradient as the first of these, which is computed once.
    public let sharing: [Int]

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

    /// One part that reads all inputs, all outputs and all heads and gives every gradient.
    public var backward: [BackwardPart] {
        let inputs = inputNames.indices, outputs = outputNames.indices
        return [
            BackwardPart(
                reads: inputs.map { .input($0) } + outputs.map { .output($0) } + outputs.map { .head($0) },
                writes: Array(inputs))
        ]
    }

    /// The first input's shape, for operators that keep it.
    package func sameShape(_ inputs: inout [Shape?]) throws -> [Shape]? { inputs[0].map { [$0] } }

    /// All inputs have one shape, which any of them gives.
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
            throw AnnealError("", "\(name) has the shape \(given), \(operation) wants \(shape)")
        }
        input = shape
    }
}
