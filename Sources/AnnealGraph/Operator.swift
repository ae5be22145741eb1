import AnnealCore

/// An operator's definition: attributes, names, shapes, and what its gradient reads. One file each under `Operators/`;
/// the CPU kernels are in the file of the same name in `AnnealCPU/Kernels/`.
public protocol Operator: Sendable {
    /// MXNet's name, as symbol JSON writes it.
    static var name: String { get }
    /// Other names under which MXNet's files hold it; MXNet writes `name` in their place.
    static var aliases: [String] { get }
    /// Names of MXNet's earlier operators that compute the same here. MXNet keeps them, and so do symbols.
    static var earlierNames: [String] { get }
    /// MXNet's name of this one; other than `name` in a family only.
    var operation: String { get }

    /// Reads the attributes; the registry refuses what is left unread.
    init(_ attributes: inout AttributeReader) throws

    /// Names of the inputs without the auxiliary ones; automatic variables are called `LAYER_NAME`.
    var inputNames: [String] { get }
    /// Names of the inputs that the operator itself changes; they come last.
    var auxiliaryNames: [String] { get }
    /// The `__init__` attribute that MXNet gives automatic auxiliary variables.
    var auxiliaryInitializers: [String] { get }
    /// The `__init__` attributes that MXNet gives automatic variables, by input name; the auxiliary ones included.
    var inputInitializers: [String: String] { get }
    var outputNames: [String] { get }
    /// Outputs that MXNet's files count in `node_row_ptr`, the hidden ones included.
    var storedOutputCount: Int { get }

    /// Fills in input shapes that follow from the others and gives the output shapes, or nil if not enough is known.
    /// Throws an error, without the layer's name, when shapes do not fit.
    func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]?

    /// Shapes of what the forward pass leaves for the backward pass besides its outputs (in training only).
    func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape]
    /// The backward pass in parts; a part none of whose gradients is wanted is dropped. An input that no part writes has
    /// a gradient of zero.
    var backward: [BackwardPart] { get }
    /// How the types of inputs and outputs hang together.
    var typeRule: TypeRule { get }
    /// Multiply-adds of a forward pass, what papers give as a network's cost: those of convolutions and matrix products
    /// without the bias, nothing elsewhere.
    func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double
    /// Floating-point operations of a forward pass in inference: two for a multiply-add; elsewhere, unless an operator
    /// knows better, one for each number that it computes, and none for moving numbers.
    func flops(inputs: [Shape], outputs: [Shape]) -> Double
    /// The outputs are those of a loss: the backward pass starts here and reads no head gradient.
    var isLoss: Bool { get }
    /// The output is the input's memory under another shape: nothing is computed (plain layouts only).
    var isView: Bool { get }
}

/// An operator that gives elements of its first input at strided places: y[i] = x[offset + Σ index · stride]. The engine
/// needs no more to compute it and its gradient. Other inputs lend their shapes only.
public protocol StridedOperator: Operator {
    /// The output's elements in row order, as extents with a stride in the input for each.
    func view(of data: Shape, output: Shape) throws -> StridedView
}

public struct StridedView: Sendable {
    public var extents: [Int]
    public var strides: [Int]
    public var offset = 0

    /// The whole array in its own order.
    init(_ shape: Shape) {
        extents = shape.dims
        strides = Array(repeating: 1, count: shape.rank)
        for axis in strides.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    }
}

extension StridedOperator {
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

/// Operators that differ in a function only: one type makes them all, each under its own name.
public protocol OperatorFamily: Operator {
    /// The operators by MXNet's names.
    associatedtype Member: RawRepresentable<String>, CaseIterable, Sendable

    static func aliases(_ member: Member) -> [String]
    init(_ member: Member, _ attributes: inout AttributeReader) throws
    var member: Member { get }
}

extension OperatorFamily {
    public static func aliases(_ member: Member) -> [String] { [] }
    public init(_ attributes: inout AttributeReader) throws {
        throw AnnealError("", "\(Self.name) is made under the names of its members only", code: .internalDefect)
    }
    public var operation: String { member.rawValue }
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

    public init(reads: [Read], writes: [Int]) {
        self.reads = reads
        self.writes = writes
    }
}

extension Operator {
    public static var aliases: [String] { [] }
    public static var earlierNames: [String] { [] }
    public var operation: String { Self.name }
    public var inputNames: [String] { ["data"] }
    public var auxiliaryNames: [String] { [] }
    public var auxiliaryInitializers: [String] { [] }
    public var inputInitializers: [String: String] {
        Dictionary(zip(auxiliaryNames, auxiliaryInitializers), uniquingKeysWith: { first, _ in first })
    }
    public var outputNames: [String] { ["output"] }
    public var storedOutputCount: Int { outputNames.count }
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] { [] }
    public var typeRule: TypeRule { .same }
    public var isLoss: Bool { false }
    public var isView: Bool { false }
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
        for index in inputs.indices { try expect(&inputs[index], shape, inputNames[index]) }
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

/// All operators by MXNet's names and aliases.
public enum OperatorRegistry {
    struct Entry: Sendable {
        let name: String
        let aliases: [String]
        let type: any Operator.Type
        let make: @Sendable (inout AttributeReader) throws -> any Operator
    }

    private static let entries: [Entry] =
        operatorTypes.flatMap { type in
            [Entry(name: type.name, aliases: type.aliases, type: type) { try type.init(&$0) }]
                + type.earlierNames.map { Entry(name: $0, aliases: [], type: type) { try type.init(&$0) } }
        } + operatorFamilies.flatMap { members($0) }

    private static func members<Family: OperatorFamily>(_ family: Family.Type) -> [Entry] {
        Family.Member.allCases.map { member in
            Entry(name: member.rawValue, aliases: Family.aliases(member), type: family) { try Family(member, &$0) }
        }
    }

    private static let all: [String: Entry] = {
        var table: [String: Entry] = [:]
        for entry in entries { for name in [entry.name] + entry.aliases { table[name] = entry } }
        return table
    }()

    /// The names under which operators are known, without aliases.
    public static var names: [String] { entries.map(\.name) }

    /// The name that MXNet 1.9.1 writes for an operator, e.g. `SoftmaxOutput` for `Softmax`; nil if unknown.
    public static func canonicalName(_ name: String) -> String? { all[name]?.name }

    /// The type that makes an operator of that name or alias; a family's for its members.
    package static func type(named name: String) -> (any Operator.Type)? { all[name]?.type }

    package static func make(_ name: String, _ attributes: [String: String]) throws -> any Operator {
        guard let entry = all[name] else {
            throw AnnealError(
                "", "operator \(name) is not known", suggestion: "Anneal has no such operator yet", code: .unsupported)
        }
        var reader = AttributeReader(operation: name, attributes)
        let op = try entry.make(&reader)
        try reader.finish()
        return op
    }
}
