import AnnealCore
import AnnealGraph

/// An engine made of kernels over host memory: it returns a kernel for each instruction, and `KernelPlan` gives them
/// memory and runs them.
///
/// If `choosesLayouts`, the compiler fuses operators, assigns layouts and recomputes for it; other engines get each
/// operator of the symbol separately, in plain layouts, and implement only the first four members.
public protocol KernelEngine: Engine {
    /// Creates the kernel of an instruction, not yet bound to memory.
    func prepare(_ site: KernelSite) throws -> PreparedKernel

    /// Describes a status returned by a kernel.
    func message(_ status: Int32) -> String

    /// Zeroed memory of that many floats, 64-byte aligned.
    func allocate(_ count: Int) throws -> Arena

    /// Runs code that creates or runs kernels, with as many threads as the engine has.
    func withThreads(_ body: () -> Void)

    /// Whether layouts are chosen and operators fused for it. The fused operators are not public: engines of other
    /// packages leave it false.
    var choosesLayouts: Bool { get }

    /// Copies between the host's plain order and the layouts of values.
    func write(_ tensor: Tensor, to memory: UnsafeMutablePointer<Float>, layout: Layout) throws
    func read(_ memory: UnsafePointer<Float>, shape: Shape, layout: Layout) throws -> Tensor

    /// The layouts that an operator's kernels prefer for its operands.
    /// - Parameter given: the inputs' current layouts; nil for parameters with a layout that is still free.
    func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) throws -> OperandLayouts

    /// Whether a part of an operator's backward pass can add to an existing gradient.
    func accumulates(_ op: any Operator, part: Int) -> Bool

    /// Whether a part of an operator's backward pass that writes these operands can add up two output gradients
    /// (`secondOutputGradient`).
    func addsOutputGradients(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool

    /// Whether an operator's forward kernel is cheaper if it is given what it saved: a recomputation then reads the
    /// saved values rather than writing them.
    func repeatsFromSaved(_ op: any Operator) -> Bool
}

/// Engines with plain layouts only need no more than this.
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

    /// Kernels may be created for a specific number of threads.
    func onThreads<Value>(_ body: () throws -> Value) throws -> Value {
        var result: Result<Value, any Error>?
        withThreads { result = Result { try body() } }
        guard let result else { throw AnnealError("engine \(name)", "has not run", code: .internalDefect) }
        return try result.get()
    }

    private func requirePlain(_ layout: Layout) throws {
        guard layout == .plain else {
            throw AnnealError("engine \(name)", "has plain layouts only", suggestion: "this is a bug in Anneal")
        }
    }

    public func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) throws -> OperandLayouts {
        OperandLayouts(inputs: inputs.map { _ in .plain }, outputs: outputs.map { _ in .plain })
    }

    public func accumulates(_ op: any Operator, part: Int) -> Bool { false }
    public func addsOutputGradients(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool { false }
    public func repeatsFromSaved(_ op: any Operator) -> Bool { false }
}
