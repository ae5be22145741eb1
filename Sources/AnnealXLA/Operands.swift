import AnnealCompiler
import AnnealCore
import AnnealGraph

/// An operator's definition in StableHLO.
protocol XLAOperator: Operator {
    /// Reads the inputs and writes the outputs, and in training what the backward pass reads.
    func forward(_ operands: Operands) throws
    /// Reads what the part's definition (`Operator.backward`) names and writes the requested gradients.
    func backward(_ operands: Operands, part: Int) throws
}

/// The operands of one instruction as its text is being written.
struct Operands {
    typealias Role = Program.Operand

    let writer: PartWriter
    let instruction: Program.Instruction
    private var isBehindBarrier = false
    private var gate: HLOValue?

    init(writer: PartWriter, instruction: Program.Instruction) {
        self.writer = writer
        self.instruction = instruction
    }

    /// Hides the inputs from the compiler, so that what is computed again is not merged with the first time.
    /// - Parameter gate: a value that must be available before anything is computed again.
    func behindBarrier(before gate: HLOValue?) -> Operands {
        var result = self
        result.isBehindBarrier = true
        result.gate = gate
        return result
    }

    var function: HLOFunction { writer.function }
    var isTraining: Bool { writer.program.mode == .training }
    var reproducesMXNetDefects: Bool { writer.reproducesMXNetDefects }

    private func id(_ role: Role) -> Program.ValueID? { instruction.reading(role) ?? instruction.writing(role) }

    func has(_ role: Role) -> Bool { id(role) != nil }

    /// In MXNet's order.
    func shape(_ role: Role) throws -> Shape {
        guard let id = id(role) else {
            throw AnnealError(
                "", "has no operand \(role)", suggestion: "this is a bug in Anneal", code: .internalDefect)
        }
        return writer.program.values[id].shape
    }

    /// The shape of an operator's input, even in a backward pass that does not read it.
    func inputShape(_ index: Int) throws -> Shape {
        guard instruction.forwardInputs.indices.contains(index) else { return try shape(.input(index)) }
        return writer.program.values[instruction.forwardInputs[index]].shape
    }

    /// The operator's input, even in a backward pass that does not name it.
    func forwardInput(_ index: Int) throws -> HLOValue { try writer.value(instruction.forwardInputs[index]) }

    /// MXNet writes the data's gradient over the output's where it can.
    var overwritesOutputGradient: Bool {
        guard has(.gradient(0)), let head = id(.outputGradient(0)) else { return false }
        return writer.program.values[head].kind == .temporary
    }

    /// An operand in float32, with channels last.
    func stored(_ role: Role) -> HLOValue {
        guard let value = optionalStored(role) else { preconditionFailure("the instruction has no operand \(role)") }
        return value
    }

    func optionalStored(_ role: Role) -> HLOValue? {
        guard let id = id(role) else { return nil }
        let value = isBehindBarrier ? try? writer.behindBarrier(id, gate) : try? writer.value(id)
        return value?.converted(to: .f32)
    }

    /// A value that is not an operand; behind the barrier if the instruction is a repetition.
    func shielded(_ value: HLOValue) -> HLOValue {
        guard isBehindBarrier else { return value }
        return gate.map { value.barrier(with: $0) } ?? value.barrier()
    }

    /// Whether the values that the forward pass saved are given, since it is being recomputed.
    func isGiven(_ role: Role) -> Bool { instruction.reading(role) != nil && isBehindBarrier }

    /// An operand in the type that products are computed in, with channels last.
    func factor(_ role: Role) -> HLOValue { stored(role).converted(to: HLOType(writer.precision)) }

    /// An operand in float32 and in MXNet's order.
    subscript(role: Role) -> HLOValue { Order.plain(stored(role)) }

    func optional(_ role: Role) -> HLOValue? { optionalStored(role).map { Order.plain($0) } }

    /// Sets an operand's value, given with channels last; nothing is written if nobody reads it.
    func writeStored(_ role: Role, _ value: HLOValue) {
        guard let id = instruction.writing(role) ?? instruction.reading(role) else { return }
        writer.set(id, value)
    }

    /// Sets an operand's value, given in MXNet's order; nothing is written if nobody reads it.
    func write(_ role: Role, _ value: HLOValue) { writeStored(role, Order.channelsLast(value)) }

    /// The operands of a kind, in order.
    func roles(of kind: Role) -> [Role] {
        instruction.reads.map(\.role).filter { role in
            switch (role, kind) {
            case (.input, .input), (.changed, .changed): true
            default: false
            }
        }
    }

    // MARK: Elementwise operators

    func map(_ from: Role, to target: Role, _ f: (HLOValue) -> HLOValue) { writeStored(target, f(stored(from))) }

    func map(_ a: Role, _ b: Role, to target: Role, _ f: (HLOValue, HLOValue) -> HLOValue) {
        writeStored(target, f(stored(a), stored(b)))
    }
}
