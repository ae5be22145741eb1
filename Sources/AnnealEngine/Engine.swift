import AnnealCore
import AnnealGraph

/// The seam between the compiler of plans and a device. Nothing above it names oneDNN, threads or a device's memory.
package protocol Engine: AnyObject {
    /// The layouts that an operator wants for its operands.
    /// - Parameter given: the inputs' layouts now; nil for parameters whose layout is still free.
    func layouts(
        _ op: any Operator, inputs: [Shape], outputs: [Shape], given: [Layout?], mode: Program.Mode, layer: String
    ) throws -> OperandLayouts

    /// Whether a part of an operator's backward pass can add to a gradient that is there already.
    func accumulates(_ op: any Operator, part: Int) -> Bool

    /// Whether a part of an operator's backward pass that writes these operands can add up two heads (`secondHead`).
    func addsHeads(_ op: any Operator, part: Int, writes: [Program.Operand]) -> Bool

    /// Whether an operator's forward kernel spares work where what it saved is given to it: a recomputation then reads the
    /// saved values rather than writing them.
    func repeatsFromSaved(_ op: any Operator) -> Bool

    /// Makes the kernel of an instruction, not yet bound to memory.
    func prepare(_ site: KernelSite) throws -> PreparedKernel

    /// What a kernel's status means.
    func message(_ status: Int32) -> String

    /// Memory of that many floats, zero at first, 64-byte aligned.
    func allocate(_ count: Int) throws -> Arena

    /// Copies between the host's plain order and the device's layouts.
    func write(_ tensor: Tensor, to memory: UnsafeMutablePointer<Float>, layout: Layout) throws
    func read(_ memory: UnsafePointer<Float>, shape: Shape, layout: Layout) throws -> Tensor
}

/// Where a kernel is made: an instruction with the shapes and layouts of its operands.
package struct KernelSite {
    package let instruction: Program.Instruction
    package let mode: Program.Mode
    let values: [Program.Value]

    package var layer: String { instruction.layer }

    func value(_ role: Program.Operand) throws -> Program.Value {
        if let id = instruction.reading(role) ?? instruction.writing(role) { return values[id] }
        throw AnnealError(
            "layer \(layer)", "its kernel wants the operand \(role)", suggestion: "this is a defect of Anneal")
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
    package var scratch = 0
    /// Outputs that may be written over inputs, in order of preference.
    package var inPlace: [InPlace] = []
    /// Floating-point operations of one run, those of convolutions and matrix products.
    package var flops = 0.0
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

/// What the random numbers of a run depend on beside the layer and the element.
package final class RunClock {
    package var seed: UInt64 = 0
    package var step = 0
}

/// Where an instruction's operands lie.
package struct KernelMemory {
    let pointers: [(role: Program.Operand, pointer: UnsafeMutablePointer<Float>)]
    package let scratch: UnsafeMutablePointer<Float>?
    /// Read when the kernel runs, by kernels that draw random numbers.
    package let clock: RunClock

    /// The operand's memory; nil if the instruction has no such operand.
    package func optional(_ role: Program.Operand) -> UnsafeMutablePointer<Float>? {
        pointers.first { $0.role == role }?.pointer
    }

    package subscript(role: Program.Operand) -> UnsafeMutablePointer<Float> {
        guard let pointer = optional(role) else { preconditionFailure("a kernel wants the operand \(role)") }
        return pointer
    }
}
