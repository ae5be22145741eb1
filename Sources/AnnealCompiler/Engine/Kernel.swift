import AnnealCore
import AnnealGraph

/// Where a kernel is created: an instruction with the shapes and layouts of its operands.
public struct KernelSite {
    /// What the kernel does.
    public let instruction: Program.Instruction
    /// In the program.
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
            "layer \(layer)", "its kernel has no operand \(role)", suggestion: "this is a bug in Anneal",
            code: .internalDefect)
    }

    /// Whether the instruction has such an operand.
    public func has(_ role: Program.Operand) -> Bool {
        instruction.reading(role) != nil || instruction.writing(role) != nil
    }

    /// - Throws: if the instruction has no such operand.
    public func shape(_ role: Program.Operand) throws -> Shape { try value(role).shape }
    /// The shape of an input of the operator, even in a backward pass that does not read it.
    public func inputShape(_ index: Int) throws -> Shape {
        guard instruction.forwardInputs.indices.contains(index) else { return try shape(.input(index)) }
        return values[instruction.forwardInputs[index]].shape
    }
    /// - Throws: if the instruction has no such operand.
    public func layout(_ role: Program.Operand) throws -> Layout { try value(role).layout }
}

/// What the memory plan must know about a kernel, and its cost.
public struct KernelNeeds {
    /// An operand that may share memory with another one.
    public typealias InPlace = (read: Program.Operand, written: Program.Operand)

    /// Floats of scratch memory, alive during the instruction only.
    public var scratch: Int
    /// Outputs that may be written over inputs, in order of preference.
    public var inPlace: [InPlace]
    /// Floating-point operations per run, for convolutions and matrix products.
    public var flops: Double

    public init(scratch: Int = 0, inPlace: [InPlace] = [], flops: Double = 0) {
        self.scratch = scratch
        self.inPlace = inPlace
        self.flops = flops
    }
}

/// A kernel before memory is planned: its requirements, and how to bind it to memory.
public struct PreparedKernel {
    /// Floats of scratch memory, alive during the instruction only.
    public var scratch = 0
    /// Outputs that may be written over inputs, in order of preference.
    public var inPlace: [KernelNeeds.InPlace] = []
    /// Layout changes inside the kernel: each one is a defect to be counted.
    public var reorders = 0
    /// Floating-point operations per run, for profiles.
    public var flops = 0.0
    /// The name of the implementation, for profiles.
    public var implementation = ""
    /// The requirements for the memory plan.
    public var needs: KernelNeeds { KernelNeeds(scratch: scratch, inPlace: inPlace, flops: flops) }
    /// Returns the code of a step, which allocates nothing, looks nothing up, and returns 0 or the library's status.
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

    /// A kernel with code that returns a library's status.
    public static func checked(_ bind: @escaping (KernelMemory) throws -> () -> Int32) -> PreparedKernel {
        var kernel = PreparedKernel { _ in {} }
        kernel.bind = bind
        return kernel
    }
}

/// The inputs of the current step, for kernels that read them.
public final class StepClock {
    /// Of the current step.
    public var inputs = StepInputs()

    public init() {}
}

/// The memory of an instruction's operands.
public struct KernelMemory {
    private let pointers: [Program.Operand: UnsafeMutablePointer<Float>]
    /// As large as the kernel requested; nil if it requested none.
    public let scratch: UnsafeMutablePointer<Float>?
    /// Read when the kernel runs: random numbers, learning rates and counts depend on it.
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
