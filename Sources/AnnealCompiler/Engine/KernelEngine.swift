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

/// Where a kernel is made: an instruction with the shapes and layouts of its operands.
public struct KernelSite {
    /// What the kernel does.
    public let instruction: Program.Instruction
    /// Of the program.
    public let mode: Program.Mode
    let values: [Program.Value]

    /// For messages.
    public var layer: String { instruction.layer }

    /// A value of the program.
    public func value(_ id: Program.ValueID) -> Program.Value { values[id] }

    /// The value in a role.
    /// - Throws: if the instruction has no such operand.
    public func value(_ role: Program.Operand) throws -> Program.Value {
        if let id = instruction.reading(role) ?? instruction.writing(role) { return values[id] }
        throw AnnealError(
            "layer \(layer)", "its kernel has no operand \(role)", suggestion: "this is a defect of Anneal",
            code: .internalDefect)
    }

    /// Whether the instruction has such an operand.
    public func has(_ role: Program.Operand) -> Bool {
        instruction.reading(role) != nil || instruction.writing(role) != nil
    }

    /// - Throws: if the instruction has no such operand.
    public func shape(_ role: Program.Operand) throws -> Shape { try value(role).shape }
    /// The shape of an input of the operator, also in a backward pass that does not read it.
    public func inputShape(_ index: Int) throws -> Shape {
        guard instruction.forwardInputs.indices.contains(index) else { return try shape(.input(index)) }
        return values[instruction.forwardInputs[index]].shape
    }
    /// - Throws: if the instruction has no such operand.
    public func layout(_ role: Program.Operand) throws -> Layout { try value(role).layout }
}

/// What the memory plan must know of a kernel, and what it costs.
public struct KernelNeeds {
    /// An operand that may lie where another one does.
    public typealias InPlace = (read: Program.Operand, written: Program.Operand)

    /// Floats of scratch memory, alive during the instruction only.
    public var scratch: Int
    /// Outputs that may be written over inputs, in order of preference.
    public var inPlace: [InPlace]
    /// Floating-point operations of one run, those of convolutions and matrix products.
    public var flops: Double

    public init(scratch: Int = 0, inPlace: [InPlace] = [], flops: Double = 0) {
        self.scratch = scratch
        self.inPlace = inPlace
        self.flops = flops
    }
}

/// A kernel before memory is planned: what it needs, and how it becomes one that runs.
public struct PreparedKernel {
    /// Floats of scratch memory, alive during the instruction only.
    public var scratch = 0
    /// Outputs that may be written over inputs, in order of preference.
    public var inPlace: [KernelNeeds.InPlace] = []
    /// Changes of layout that it does inside: each is a defect to be counted.
    public var reorders = 0
    /// Floating-point operations of one run, for profiles.
    public var flops = 0.0
    /// Which implementation it is, for profiles.
    public var implementation = ""
    /// What the memory plan asks.
    public var needs: KernelNeeds { KernelNeeds(scratch: scratch, inPlace: inPlace, flops: flops) }
    /// Gives the code of a step, which allocates and looks up nothing and returns 0 or the library's status.
    public var bind: (KernelMemory) throws -> () -> Int32

    /// A kernel that cannot fail.
    public init(_ bind: @escaping (KernelMemory) throws -> () -> Void) {
        self.bind = { memory in
            let code = try bind(memory)
            return {
                code()
                return 0
            }
        }
    }

    /// A kernel whose code returns a library's status.
    public static func checked(_ bind: @escaping (KernelMemory) throws -> () -> Int32) -> PreparedKernel {
        var kernel = PreparedKernel { _ in {} }
        kernel.bind = bind
        return kernel
    }
}

/// The inputs of the step that runs, where kernels read them.
public final class StepClock {
    /// Of the step that runs.
    public var inputs = StepInputs()

    public init() {}
}

/// Where an instruction's operands lie.
public struct KernelMemory {
    private let pointers: [Program.Operand: UnsafeMutablePointer<Float>]
    /// As large as the kernel asked for; nil if it asked for none.
    public let scratch: UnsafeMutablePointer<Float>?
    /// Read when the kernel runs: random numbers, rates and counts depend on it.
    public let clock: StepClock

    init(
        pointers: [(role: Program.Operand, pointer: UnsafeMutablePointer<Float>)],
        scratch: UnsafeMutablePointer<Float>?, clock: StepClock
    ) {
        self.pointers = Dictionary(pointers.map { ($0.role, $0.pointer) }) { first, _ in first }
        self.scratch = scratch
        self.clock = clock
    }

    /// The operand's memory; nil if the instruction has no such operand.
    public func optional(_ role: Program.Operand) -> UnsafeMutablePointer<Float>? {
        pointers[role]
    }

    /// - Precondition: the instruction has such an operand.
    public subscript(role: Program.Operand) -> UnsafeMutablePointer<Float> {
        guard let pointer = optional(role) else { preconditionFailure("the instruction has no operand \(role)") }
        return pointer
    }
}
