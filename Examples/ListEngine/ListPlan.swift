import Anneal

/// A program with memory for its values, and the results of the last run.
final class ListPlan: ExecutablePlan, StepResults {
    let program: Program
    let isImmediate = true
    var around: ((_ operation: Int, _ run: () -> Void) -> Void)?

    private let store: ParameterStore
    /// Of what is in no store.
    private var lists: [Program.ValueID: List] = [:]

    init(_ request: PlanRequest, store: ParameterStore) throws {
        program = try request.program()
        self.store = store
        for instruction in program.instructions {
            guard let op = instruction.action.op, !(op is any ListOperator) else { continue }
            throw AnnealError(
                "layer \(instruction.layer)", "the operator \(op.operation) is not in the list engine",
                code: .unsupported)
        }
        try store.adopt(program.stored(in: request.storedNames())) { values in values.map { List($0.shape) } }
        for (id, value) in program.values.enumerated() where value.kind == .input || value.kind == .temporary {
            guard value.type == .float32 else {
                throw AnnealError(value.name, "is \(value.type.rawValue): the list engine has float32 only")
            }
            lists[id] = List(value.shape)
        }
        // An output that is no loss has the gradient 1, unless the caller writes another.
        for head in program.heads.values { lists[head]?.memory.update(repeating: 1) }
    }

    @discardableResult
    func run(_ phases: Phases, _ inputs: StepInputs) throws -> any StepResults {
        for (index, instruction) in program.instructions.enumerated() {
            guard !phases.isDisjoint(with: program.phase(of: index)) else { continue }
            let operands = try Operands(instruction, program, inputs) { try list($0) }
            var result: Result<Void, any Error> = .success(())
            let code = { result = Result { try operands.run() } }
            if let around { around(index, code) } else { code() }
            try result.get()
        }
        // What is derived from parameters elsewhere is out of date.
        if phases != .forward { store.noteChange() }
        return self
    }

    private func list(_ id: Program.ValueID) throws -> List {
        if let list = lists[id] { return list }
        guard let list = try store.array(program.values[id]) as? List else {
            throw AnnealError(program.values[id].name, "lies in another engine's memory", code: .mismatch)
        }
        return list
    }

    func input(_ name: String) -> UnsafeMutableBufferPointer<Float>? {
        program.values.firstIndex { $0.kind == .input && $0.name == name }.flatMap { lists[$0]?.memory }
    }

    func read(_ value: Program.ValueID) throws -> Tensor { try list(value).read() }

    var plannedBytes: Int { lists.values.reduce(0) { $0 + 4 * $1.shape.count } }

    var memoryNeed: MemoryNeed {
        var need = MemoryNeed()
        need.add("the lists of a step", bytes: plannedBytes)
        need.add("parameters and states", bytes: program.values.reduce(0) { $0 + 4 * $1.shape.count } - plannedBytes)
        return need
    }

    // MARK: Results

    func output(_ index: Int) throws -> UnsafeBufferPointer<Float>? {
        UnsafeBufferPointer(try list(program.outputs[index]).memory)
    }

    func input(_ name: String) throws -> UnsafeBufferPointer<Float>? {
        let memory: UnsafeMutableBufferPointer<Float>? = input(name)
        return memory.map { UnsafeBufferPointer($0) }
    }

    func flags(_ check: Int) throws -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(try list(program.checks[check].value).memory)
    }
}

/// An instruction with its operands and the inputs of the step.
struct Operands {
    let instruction: Program.Instruction
    let program: Program
    let inputs: StepInputs
    private let lists: [Program.Operand: List]

    init(
        _ instruction: Program.Instruction, _ program: Program, _ inputs: StepInputs,
        _ list: (Program.ValueID) throws -> List
    ) throws {
        self.instruction = instruction
        self.program = program
        self.inputs = inputs
        var lists: [Program.Operand: List] = [:]
        for (role, id) in instruction.reads + instruction.writes { lists[role] = try list(id) }
        self.lists = lists
    }

    /// nil if the instruction has no such operand, e.g. a gradient that nobody wants.
    func optional(_ role: Program.Operand) -> List? { lists[role] }

    subscript(role: Program.Operand) -> List {
        guard let list = lists[role] else { preconditionFailure("\(instruction.layer) has no operand \(role)") }
        return list
    }

    /// The operands of a kind, by their numbers.
    func all(_ role: (Int) -> Program.Operand) -> [List] {
        var all: [List] = []
        while let list = lists[role(all.count)] { all.append(list) }
        return all
    }

    func run() throws {
        switch instruction.action {
        case .forward(let op), .recompute(let op): (op as? any ListOperator)?.forward(self)
        case .backward(let op, let part): (op as? any ListOperator)?.backward(self, part: part)
        case .sum: for i in self[.output(0)].indices { self[.output(0)][i] = self[.input(0)][i] + self[.input(1)][i] }
        case .update(let action): try run(action)
        }
    }
}
