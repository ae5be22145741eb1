import AnnealCore
import AnnealGraph

/// An engine made of kernels over the host's memory: it gives a kernel for each instruction, and `KernelPlan` gives them
/// memory and runs them.
///
/// Where `choosesLayouts`, the compiler fuses operators, assigns layouts and recomputes for it; the others get each operator
/// of the symbol by itself, in plain layouts, and implement no more than the first four members.
package protocol KernelEngine: Engine {
    /// Makes the kernel of an instruction, not yet bound to memory.
    func prepare(_ site: KernelSite) throws -> PreparedKernel

    /// What the status that a kernel returned means.
    func message(_ status: Int32) -> String

    /// Memory of that many floats, zero at first, 64-byte aligned.
    func allocate(_ count: Int) throws -> Arena

    /// Runs what makes kernels or runs them, with as many threads as the engine has.
    func withThreads(_ body: () -> Void)

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
    package var choosesLayouts: Bool { false }

    package func plan(_ request: PlanRequest, store: ParameterStore) throws -> any ExecutablePlan {
        try onThreads { try KernelPlan(request, store: store, engine: self) }
    }

    package func allocate(_ count: Int) throws -> Arena { try Arena(count) }

    package func withThreads(_ body: () -> Void) { body() }

    package func write(_ tensor: Tensor, to memory: UnsafeMutablePointer<Float>, layout: Layout) throws {
        try requirePlain(layout)
        for (index, element) in tensor.elements.enumerated() { memory[index] = element }
    }

    package func read(_ memory: UnsafePointer<Float>, shape: Shape, layout: Layout) throws -> Tensor {
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

    package func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) throws -> OperandLayouts {
        OperandLayouts(inputs: inputs.map { _ in .plain }, outputs: outputs.map { _ in .plain })
    }

    package func accumulates(_ op: any Operator, part: Int) -> Bool { false }
    package func addsHeads(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool { false }
    package func repeatsFromSaved(_ op: any Operator) -> Bool { false }
}

/// Where a kernel is made: an instruction with the shapes and layouts of its operands.
package struct KernelSite {
    package let instruction: Program.Instruction
    package let mode: Program.Mode
    let values: [Program.Value]

    package var layer: String { instruction.layer }

    package func value(_ id: Program.ValueID) -> Program.Value { values[id] }

    package func value(_ role: Program.Operand) throws -> Program.Value {
        if let id = instruction.reading(role) ?? instruction.writing(role) { return values[id] }
        throw AnnealError(
            "layer \(layer)", "its kernel has no operand \(role)", suggestion: "this is a defect of Anneal",
            code: .internalDefect)
    }

    package func has(_ role: Program.Operand) -> Bool {
        instruction.reading(role) != nil || instruction.writing(role) != nil
    }

    package func shape(_ role: Program.Operand) throws -> Shape { try value(role).shape }
    /// The shape of an input of the operator, also in a backward pass that does not read it.
    package func inputShape(_ index: Int) throws -> Shape {
        guard instruction.forwardInputs.indices.contains(index) else { return try shape(.input(index)) }
        return values[instruction.forwardInputs[index]].shape
    }
    package func layout(_ role: Program.Operand) throws -> Layout { try value(role).layout }
}

/// What the memory plan must know of a kernel, and what it costs.
package struct KernelNeeds {
    package typealias InPlace = (read: Program.Operand, written: Program.Operand)

    /// Floats of scratch memory, alive during the instruction only.
    package var scratch: Int
    /// Outputs that may be written over inputs, in order of preference.
    package var inPlace: [InPlace]
    /// Floating-point operations of one run, those of convolutions and matrix products.
    package var flops: Double

    package init(scratch: Int = 0, inPlace: [InPlace] = [], flops: Double = 0) {
        self.scratch = scratch
        self.inPlace = inPlace
        self.flops = flops
    }
}

/// A kernel before memory is planned: what it needs, and how it becomes one that runs.
package struct PreparedKernel {
    /// Floats of scratch memory, alive during the instruction only.
    package var scratch = 0
    /// Outputs that may be written over inputs, in order of preference.
    package var inPlace: [KernelNeeds.InPlace] = []
    /// Changes of layout that it does inside: each is a defect to be counted.
    package var reorders = 0
    /// Floating-point operations of one run, for profiles.
    package var flops = 0.0
    /// Which implementation it is, for profiles.
    package var implementation = ""
    package var needs: KernelNeeds { KernelNeeds(scratch: scratch, inPlace: inPlace, flops: flops) }
    /// Gives the code of a step, which allocates and looks up nothing and returns 0 or the library's status.
    package var bind: (KernelMemory) throws -> () -> Int32

    /// A kernel that cannot fail.
    package init(_ bind: @escaping (KernelMemory) throws -> () -> Void) {
        self.bind = { memory in
            let code = try bind(memory)
            return {
                code()
                return 0
            }
        }
    }

    /// A kernel whose code returns a library's status.
    package static func checked(_ bind: @escaping (KernelMemory) throws -> () -> Int32) -> PreparedKernel {
        var kernel = PreparedKernel { _ in {} }
        kernel.bind = bind
        return kernel
    }
}

/// The inputs of the step that runs, where kernels read them.
package final class StepClock {
    package var inputs = StepInputs()

    package init() {}
}

/// Where an instruction's operands lie.
package struct KernelMemory {
    private let pointers: [Program.Operand: UnsafeMutablePointer<Float>]
    package let scratch: UnsafeMutablePointer<Float>?
    /// Read when the kernel runs: random numbers, rates and counts depend on it.
    package let clock: StepClock

    init(
        pointers: [(role: Program.Operand, pointer: UnsafeMutablePointer<Float>)],
        scratch: UnsafeMutablePointer<Float>?, clock: StepClock
    ) {
        self.pointers = Dictionary(pointers.map { ($0.role, $0.pointer) }) { first, _ in first }
        self.scratch = scratch
        self.clock = clock
    }

    /// The operand's memory; nil if the instruction has no such operand.
    package func optional(_ role: Program.Operand) -> UnsafeMutablePointer<Float>? {
        pointers[role]
    }

    package subscript(role: Program.Operand) -> UnsafeMutablePointer<Float> {
        guard let pointer = optional(role) else { preconditionFailure("the instruction has no operand \(role)") }
        return pointer
    }
}
