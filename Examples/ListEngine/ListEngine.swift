import Anneal

/// An engine in a package of its own: it runs the instructions of a program one after the other, each as a plain loop over
/// host memory. It has few operators; the others are refused by their layer.
///
/// ```swift
/// let trainer = try Trainer(network, dataShape: [6], batchSize: 4, optimizer: optimizer, device: Device(ListEngine()))
/// ```
public final class ListEngine: Engine {
    public let name = "list"

    public init() {}

    public func supports(_ type: any Operator.Type) -> Bool { type is any ListOperator.Type }

    public func plan(_ request: PlanRequest, store: ParameterStore) throws -> any ExecutablePlan {
        try ListPlan(request, store: store)
    }
}

/// Floats in plain order: a parameter, a state, or what lives within a step.
final class List: EngineArray {
    let shape: Shape
    let memory: UnsafeMutableBufferPointer<Float>

    init(_ shape: Shape) {
        self.shape = shape
        memory = .allocate(capacity: shape.count)
        memory.initialize(repeating: 0)
    }

    deinit { memory.deallocate() }

    var indices: Range<Int> { 0..<memory.count }

    subscript(index: Int) -> Float {
        get { memory[index] }
        set { memory[index] = newValue }
    }

    func copy(_ other: List) { for i in indices { memory[i] = other[i] } }

    func read() -> Tensor { Tensor(shape, Array(memory)) }
    func write(_ tensor: Tensor) { _ = memory.update(from: tensor.elements) }
    /// Nothing is folded here, so that no memory is given back.
    func release() {}
    func isFinite() -> Bool { memory.allSatisfy(\.isFinite) }
}
