import AnnealCore
import AnnealGraph

/// A program on an engine made of kernels: a static plan over one arena, run again and again. A run allocates nothing.
///
/// It is used by one thread at a time; the work inside is parallel.
package final class KernelPlan: ExecutablePlan {
    package let program: Program
    package let memory: MemoryPlan
    package let memoryNeed: MemoryNeed
    /// One per instruction that computes anything.
    package let steps: [Step]
    package var around: ((_ operation: Int, _ run: () -> Void) -> Void)?
    /// Threads for the phases after the passes, while other devices are idle; nil: the engine's.
    var updateThreads: Int?
    /// Called before each step, with its number.
    var beforeStep: ((_ step: Int) throws -> Void)?
    /// Called after each step that has run, with its number.
    var onStep: ((_ step: Int) -> Void)?

    package let isImmediate = true
    private let engine: any KernelEngine
    private let store: ParameterStore
    private let arena: Arena
    private let derived: DerivedParameters
    private let clock: StepClock
    private let inputs: [String: Program.ValueID]

    package struct Step {
        package let instruction: Int
        package let phase: Phases
        package let reorders: Int
        package let implementation: String
        fileprivate let code: () -> Int32

        /// Whether it belongs to the forward or the backward pass.
        var isPass: Bool { !phase.isDisjoint(with: [.forward, .backward]) }
    }

    package init(_ request: PlanRequest, store: ParameterStore, engine: any KernelEngine) throws {
        self.engine = engine
        self.store = store
        let compilation = try Compilation.compile(request, store: store, engine: engine)
        let program = compilation.program
        let plan = MemoryPlan(program, needs: compilation.needs)
        let need = Self.need(program, plan, store)
        try need.check()
        memoryNeed = need.mapped
        let arena = try engine.allocate(plan.size)
        try store.adopt(program.stored(in: try request.storedNames())) { try HostArray.make($0, engine: engine) }
        let derived = try DerivedParameters(
            program, store: store, engine: engine, releases: !request.keepsParameters)

        func memory(_ id: Program.ValueID) throws -> UnsafeMutablePointer<Float> {
            if let offset = plan.offsets[id] { return arena.base + offset }
            if let memory = derived.memory(id) { return memory }
            return try store.hostMemory(program.values[id])
        }
        let clock = StepClock()
        var steps: [Step] = []
        for (index, instruction) in program.instructions.enumerated() {
            guard let kernel = compilation.kernels[index] else { continue }
            let pointers = try (instruction.reads + instruction.writes).map {
                (role: $0.role, pointer: try memory($0.value))
            }
            let scratch = plan.scratchOffsets[index].map { arena.base + $0 }
            steps.append(
                Step(
                    instruction: index, phase: program.phase(of: index), reorders: kernel.reorders,
                    implementation: kernel.implementation,
                    code: try kernel.bind(KernelMemory(pointers: pointers, scratch: scratch, clock: clock))))
        }
        self.program = program
        self.memory = plan
        self.arena = arena
        self.derived = derived
        self.clock = clock
        self.steps = steps
        var inputs: [String: Program.ValueID] = [:]
        for (index, value) in program.values.enumerated() where value.kind == .input { inputs[value.name] = index }
        self.inputs = inputs
        // By default an output's gradient is all ones, as in MXNet.
        for head in program.heads.values {
            if let offset = plan.offsets[head] {
                (arena.base + offset).update(repeating: 1, count: program.values[head].shape.count)
            }
        }
    }

    private static func need(
        _ program: Program, _ plan: MemoryPlan, _ store: ParameterStore
    ) -> MemoryNeed {
        func bytes(_ kinds: Set<Program.Kind>) -> Int {
            program.values.reduce(0) { sum, value in
                kinds.contains(value.kind) ? sum + 4 * value.layout.elements(value.shape) : sum
            }
        }
        var need = MemoryNeed()
        need.add("the plan of the network", bytes: 4 * plan.size)
        // Those of an earlier plan already exist.
        if store.names.isEmpty { need.add("parameters", bytes: bytes([.parameter, .auxiliary])) }
        need.add("weights with batch norm folded in", bytes: bytes([.derived]))
        need.add("optimizer, averages and sums", bytes: bytes([.state]))
        return need
    }

    @discardableResult
    package func run(_ phases: Phases, _ inputs: StepInputs) throws -> any StepResults {
        clock.inputs = inputs
        if phases.contains(.forward) { try engine.onThreads { try derived.refresh() } }
        var outcome = Result<Void, any Error>.success(())
        func compute() { outcome = Result { try runSteps(steps.indices, phases) } }
        if let updateThreads, phases.isDisjoint(with: [.forward, .backward]) {
            let before = Parallel.threads
            Parallel.setThreads(updateThreads)
            compute()
            Parallel.setThreads(before)
        } else {
            engine.withThreads(compute)
        }
        // Batch norm's moving statistics change in the backward pass.
        if phases != .forward { store.noteChange() }
        // The caller's arrays are uniquely referenced again, so that they can be refilled in place.
        clock.inputs = StepInputs()
        try outcome.get()
        return self
    }

    /// Runs single steps, also from within `beforeStep`.
    func run(steps numbers: [Int], _ phases: Phases, _ inputs: StepInputs) throws {
        let before = clock.inputs
        clock.inputs = inputs
        defer { clock.inputs = before }
        var outcome = Result<Void, any Error>.success(())
        engine.withThreads { outcome = Result { try runSteps(numbers, phases) } }
        store.noteChange()
        try outcome.get()
    }

    private func runSteps(_ numbers: some Sequence<Int>, _ phases: Phases) throws {
        for index in numbers where !phases.isDisjoint(with: steps[index].phase) {
            let step = steps[index]
            // The phases after the passes wait for nothing.
            if step.isPass { try beforeStep?(index) }
            var status: Int32 = 0
            if let around { around(index) { status = step.code() } } else { status = step.code() }
            if status != 0 { throw failure(step, status) }
            if step.isPass { onStep?(index) }
        }
    }

    /// The last step of a forward and backward pass that uses each value.
    lazy var lastSteps: [Program.ValueID: Int] = {
        // A view has no step: its memory is its source's, and counts as used while the source or another view of it is.
        var source = Array(program.values.indices)
        for instruction in program.instructions {
            guard let viewed = program.viewed(by: instruction) else { continue }
            for (_, value) in instruction.writes { source[value] = source[viewed] }
        }
        var last: [Program.ValueID: Int] = [:]
        for (index, step) in steps.enumerated() where step.isPass {
            let instruction = program.instructions[step.instruction]
            for operand in instruction.reads + instruction.writes { last[source[operand.value]] = index }
        }
        var result: [Program.ValueID: Int] = [:]
        for value in program.values.indices { result[value] = last[source[value]] }
        return result
    }()

    private func failure(_ step: Step, _ status: Int32) -> AnnealError {
        AnnealError(
            "layer \(program.instructions[step.instruction].layer)",
            "\(engine.message(status)) in \(step.implementation)", code: .internalDefect)
    }

    package func input(_ name: String) -> UnsafeMutableBufferPointer<Float>? {
        guard let id = inputs[name], let offset = memory.offsets[id] else { return nil }
        return UnsafeMutableBufferPointer(start: arena.base + offset, count: program.values[id].shape.count)
    }

    /// The memory of a value that outlives a run, in its layout.
    func memory(of id: Program.ValueID) throws -> UnsafeMutableBufferPointer<Float> {
        let value = program.values[id]
        let base = try memory.offsets[id].map { arena.base + $0 } ?? store.hostMemory(value)
        return UnsafeMutableBufferPointer(start: base, count: value.layout.elements(value.shape))
    }

    /// Makes the first output's check fail, since an output of another shard is not finite.
    func spoilOutput() throws {
        guard let output = program.outputs.first else { return }
        try memory(of: output)[0] = .nan
    }

    package func read(_ id: Program.ValueID) throws -> Tensor {
        let value = program.values[id]
        if let offset = memory.offsets[id] {
            return try engine.read(arena.base + offset, shape: value.shape, layout: value.layout)
        }
        return try store.array(value).read()
    }

    package func outputs(of operation: Int) throws -> [(name: String, values: Tensor)] {
        let instruction = program.instructions[steps[operation].instruction]
        guard case .forward = instruction.action else { return [] }
        return try instruction.writes.compactMap { role, id in
            guard case .output = role else { return nil }
            return (name: program.values[id].name, values: try read(id))
        }
    }

    package var plannedBytes: Int { memory.size * MemoryLayout<Float>.size }
    package var operations: [OperationCost] {
        steps.map { OperationCost(program, instruction: $0.instruction, $0.implementation, reorders: $0.reorders) }
    }
}

/// The last run's, until the next one.
extension KernelPlan: StepResults {
    package func output(_ index: Int) -> UnsafeBufferPointer<Float>? {
        guard program.outputs.indices.contains(index) else { return nil }
        let id = program.outputs[index], value = program.values[id]
        guard value.layout.isSameMemory(as: .plain, value.shape) else { return nil }
        return plain(id)
    }

    package func input(_ name: String) throws -> UnsafeBufferPointer<Float>? {
        let memory: UnsafeMutableBufferPointer<Float>? = input(name)
        return memory.map { UnsafeBufferPointer($0) }
    }

    package func flags(_ check: Int) throws -> UnsafeBufferPointer<Float> {
        guard program.checks.indices.contains(check), let flags = plain(program.checks[check].value) else {
            throw AnnealError("check \(check)", "is not in the plan", code: .internalDefect)
        }
        return flags
    }

    private func plain(_ id: Program.ValueID) -> UnsafeBufferPointer<Float>? {
        memory.offsets[id].map { UnsafeBufferPointer(start: arena.base + $0, count: program.values[id].shape.count) }
    }
}

extension ParameterStore {
    /// The memory of an array of an engine made of kernels.
    func hostMemory(_ value: Program.Value) throws -> UnsafeMutablePointer<Float> {
        guard let array = try array(value) as? HostArray else {
            throw AnnealError(
                "parameter \(value.name)", "lies in the memory of another engine", suggestion: "make a store for each",
                code: .internalDefect)
        }
        return array.memory
    }

    /// The layouts of the arrays of an engine made of kernels.
    var layouts: [String: Layout] {
        var layouts: [String: Layout] = [:]
        for entry in entries { layouts[entry.name] = (entry.array as? HostArray)?.layout }
        return layouts
    }
}

extension Executor {
    /// The plan of an engine made of kernels; nil for other engines.
    package var kernelPlan: KernelPlan? { plan as? KernelPlan }
}
