import AnnealCore
import AnnealGraph

/// An engine made of kernels over the host's memory: it gives a kernel for each instruction, and `KernelPlan` gives them
/// memory and runs them.
///
/// Where `choosesLayouts`, the compiler fuses operators, assigns layouts and recomputes for it; the others get each operator
/// of the symbol by itself, in plain layouts, and implement no more than the first four members.
public protocol KernelEngine: Engine {
    /// Makes the kernel of an instruction, not yet bound to memory.
    func prepare(_ site: KernelSite) throws -> PreparedKernel

    /// What the status that a kernel returned means.
    func message(_ status: Int32) -> String

    /// Memory of that many floats, zero at first, 64-byte aligned.
    func allocate(_ count: Int) throws -> Arena

    /// Runs what makes kernels or runs them, with as many threads as the engine has.
    func withThreads(_ body: () -> Void)

    /// Whether layouts are chosen and operators fused for it. The fused operators are not public: engines of other packages
    /// leave it false.
    var choosesLayouts: Bool { get }

    /// Copies between the host's plain order and the layouts of values.
    func write(_ tensor: Tensor, to memory: UnsafeMutablePointer<Float>, layout: Layout) throws
    func read(_ memory: UnsafePointer<Float>, shape: Shape, layout: Layout) throws -> Tensor

    /// The layouts that an operator's kernels prefer for its operands.
    /// - Parameter given: the inputs' layouts now; nil for parameters whose layout is still free.
    func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) throws -> OperandLayouts

    /// Whether a part of an operator's backward pass can add to a gradient that is there already.
    func accumulates(_ op: any Operator, part: Int) -> Bool

    /// Whether a part of an operator's backward pass that writes these operands can add up two output gradients
    /// (`secondHead`).
    func addsHeads(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool

    /// Whether an operator's forward kernel is cheaper where what it saved is given to it: a recomputation then reads the
    /// saved values rather than writing them.
    func repeatsFromSaved(_ op: any Operator) -> Bool
}

/// Engines whose values all lie in plain order need no more than this.
extension KernelEngine {
    public var choosesLayouts: Bool { false }

    public func plan(_ request: PlanRequest, store: ParameterStore) throws -> any ExecutablePlan {
        try onThreads { try KernelPlan(request, store: store, engine: self) }
    }

    public func allocate(_ count: Int) throws -> Arena { try Arena(count) }

    public func withThreads(_ body: () -> Void) { body() }

    public func write(_ tensor: Tensor, to memory: UnsafeMutablePointer<Float>, layout: Layout) throws {
        try requirePlain(layout)
        for (index, element) in tensor.elements.enumerated() { memory[index] = element }
    }

    public func read(_ memory: UnsafePointer<Float>, shape: Shape, layout: Layout) throws -> Tensor {
        try requirePlain(layout)
        return Tensor(shape, Array(UnsafeBufferPointer(start: memory, count: shape.count)))
    }

    /// Kernels may be made for a number of threads.
    func onThreads<Value>(_ body: () throws -> Value) throws -> Value {
        var result: Result<Value, any Error>?
        withThreads { result = Result { try body() } }
        guard let result else { throw AnnealError("engine \(name)", "has not run", code: .internalDefect) }
        return try result.get()
    }

    private func requirePlain(_ layout: Layout) throws {
        guard layout == .plain else {
            throw AnnealError("engine \(name)", "has plain layouts only", suggestion: "this is a defect of Anneal")
        }
    }

    public func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) throws -> OperandLayouts {
        OperandLayouts(inputs: inputs.map { _ in .plain }, outputs: outputs.map { _ in .plain })
    }

    public func accumulates(_ op: any Operator, part: Int) -> Bool { false }
    public func addsHeads(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool { false }
    public func repeatsFromSaved(_ op: any Operator) -> Bool { false }
}
