import AnnealCore
import AnnealGraph

/// A symbol compiled for given shapes and a mode: a static plan over one arena, run again and again.
///
/// ```swift
/// let executor = try Executor(symbol, inputs: ["data": [128, 3, 28, 28]], mode: .training)
/// executor.input("data")?.update(from: pixels)
/// try executor.forward(); try executor.backward()
/// ```
/// A run allocates nothing. An executor is used by one thread at a time; the work inside is parallel.
public final class Executor {
    public enum Mode: Sendable { case training, inference }

    public let symbol: Symbol
    public let mode: Mode
    public let parameters: ParameterStore
    package let program: Program
    package let plan: MemoryPlan
    /// One for each instruction that computes anything.
    package let steps: [PlannedStep]

    /// What it has allocated and will use.
    package let memoryNeed: MemoryNeed
    private let engine: any Engine
    private let arena: Arena
    private let derived: DerivedParameters
    private let clock: RunClock
    private let updater: Updater
    private let code: [() -> Int32]
    private let backwardCode: Int
    private let inputIDs: [String: Int]

    /// Random numbers (dropout) are a function of the seed, the layer, the step and the element alone. The caller counts
    /// the steps: two runs of one step draw the same numbers.
    public var seed: UInt64 {
        get { clock.seed }
        set { clock.seed = newValue }
    }
    public var step: Int {
        get { clock.step }
        set { clock.step = newValue }
    }

    /// Called in place of each kernel, with its number in `operations` and its code: for profiles and monitors.
    package var around: ((_ operation: Int, _ run: () -> Void) -> Void)?

    /// The parameters that the backward pass updates itself, and how: it calls `update` with a parameter's number in
    /// `updatedParameters` when its gradient is complete and the parameter is read no more in this step.
    package var updatedParameters: [String] { program.updated }
    package var update: (Int) -> Void {
        get { updater.update }
        set { updater.update = newValue }
    }

    package struct PlannedStep {
        package let instruction: Int
        package let reorders: Int
        package let implementation: String
    }

    /// - Parameters:
    ///   - inputs: shapes of data and labels by name; labels may be left out.
    ///   - gradients: the variables whose gradients are wanted in training; all parameters if nil.
    ///   - parameters: the store of an earlier executor of the same network on the same engine; a new one if nil.
    ///   - recomputation: what the backward pass may compute a second time to save memory. All choices give the same bits.
    ///   - keepsParameters: false lets inference give back the memory of weights that it has folded batch norm into. They
    ///     cannot be read then, nor used by another executor, until they are set again.
    ///   - earlyUpdates: floats from which on the backward pass updates a parameter itself; nil: none.
    ///   - plainParameters: parameters stay in plain order, for rules that look at their rows; what reads them in another
    ///     order copies them in each run.
    ///   - engine: of the store, if one is given.
    package init(
        _ symbol: Symbol, inputs given: [String: Shape], mode: Mode, gradients: Set<String>? = nil,
        parameters: ParameterStore? = nil, recomputation: Recomputation = .cheap, earlyUpdates: Int? = nil,
        keepsParameters: Bool = true, plainParameters: Bool = false, engine: any Engine
    ) throws {
        self.engine = engine
        self.symbol = symbol
        self.mode = mode
        let store = parameters ?? ParameterStore(engine: engine)
        self.parameters = store

        // Labels follow from the data's shape.
        let arguments = try symbol.argumentNames()
        let shapes = try symbol.inferShapes(given).variables
        var inputs = given
        for name in try symbol.labelNames() where inputs[name] == nil { inputs[name] = shapes[name] }
        for name in given.keys where !arguments.contains(name) {
            throw AnnealError(
                "input \(name)", "is not in the network",
                suggestion: "its inputs and parameters: \(arguments.prefix(8).joined(separator: ", "))", code: .notFound
            )
        }

        var layouts = store.layouts
        if plainParameters {
            for name in arguments where inputs[name] == nil { layouts[name] = layouts[name] ?? .plain }
        }
        let compilation = try Compilation.compile(
            symbol, inputs: inputs, mode: mode == .training ? .training : .inference,
            gradients: gradients ?? Set(arguments.filter { inputs[$0] == nil }),
            options: .init(recomputation: recomputation, earlyUpdates: earlyUpdates), fixed: layouts,
            engine: engine)
        let program = compilation.program
        let plan = MemoryPlan(program, needs: compilation.needs)
        let memoryNeed = Self.memoryNeed(program, plan, store)
        try memoryNeed.check()
        self.memoryNeed = memoryNeed.mapped
        let arena = try engine.allocate(plan.size)
        try store.adopt(program, order: arguments + symbol.auxiliaryNames())
        let derived = try DerivedParameters(program, store: store, engine: engine, releases: !keepsParameters)

        func memory(_ id: Program.ValueID) throws -> UnsafeMutablePointer<Float> {
            if let offset = plan.offsets[id] { return arena.base + offset }
            return try derived.memory(id) ?? store.memory(program.values[id].name)
        }
        let clock = RunClock(), updater = Updater()
        var code: [() -> Int32] = []
        var steps: [PlannedStep] = []
        var updates = 0
        var backwardCode = 0
        for (index, instruction) in program.instructions.enumerated() {
            if index == program.backwardStart { backwardCode = code.count }
            if case .update = instruction.action {
                let number = updates
                updates += 1
                code.append {
                    updater.update(number)
                    return 0
                }
                steps.append(PlannedStep(instruction: index, reorders: 0, implementation: ""))
            }
            guard let kernel = compilation.kernels[index] else { continue }
            let pointers = try (instruction.reads + instruction.writes).map {
                (role: $0.role, pointer: try memory($0.value))
            }
            let scratch = plan.scratchOffsets[index].map { arena.base + $0 }
            code.append(try kernel.bind(KernelMemory(pointers: pointers, scratch: scratch, clock: clock)))
            steps.append(
                PlannedStep(
                    instruction: index, reorders: kernel.reorders, implementation: kernel.implementation))
        }
        if program.backwardStart >= program.instructions.count { backwardCode = code.count }
        self.program = program
        self.plan = plan
        self.arena = arena
        self.derived = derived
        self.clock = clock
        self.updater = updater
        self.code = code
        self.steps = steps
        self.backwardCode = backwardCode
        var inputIDs: [String: Int] = [:]
        for (index, value) in program.values.enumerated() where value.kind == .input { inputIDs[value.name] = index }
        self.inputIDs = inputIDs
        // Without other wishes an output's gradient is one everywhere, as in MXNet.
        for head in program.heads.values {
            if let memory = try? memory(head) { (0..<program.values[head].shape.count).forEach { memory[$0] = 1 } }
        }
    }

    private static func memoryNeed(_ program: Program, _ plan: MemoryPlan, _ store: ParameterStore) -> MemoryNeed {
        func bytes(_ isCounted: (Program.Value) -> Bool) -> Int {
            program.values.filter(isCounted).reduce(0) { $0 + 4 * $1.layout.elements($1.shape) }
        }
        var need = MemoryNeed()
        need.add("the plan of the network", bytes: 4 * plan.size)
        // Those of an earlier executor are there already.
        if store.names.isEmpty {
            need.add("parameters", bytes: bytes { $0.kind == .parameter || $0.kind == .auxiliary })
        }
        need.add("weights with batch norm folded in", bytes: bytes { $0.kind == .derived })
        return need
    }

    /// Names of what can be fed: data, labels, and `head:N` for the gradient of an output that is no loss.
    public var inputNames: [String] { inputIDs.keys.sorted() }

    /// The memory of an input in plain layout, to be filled before a run; nil if there is no such input.
    public func input(_ name: String) -> UnsafeMutableBufferPointer<Float>? {
        guard let id = inputIDs[name], let offset = plan.offsets[id] else { return nil }
        return UnsafeMutableBufferPointer(start: arena.base + offset, count: program.values[id].shape.count)
    }

    public func setInput(_ name: String, _ tensor: Tensor) throws {
        guard let memory = input(name), let id = inputIDs[name] else {
            throw AnnealError(
                "input \(name)", "is not in the network",
                suggestion: "its inputs: \(inputNames.joined(separator: ", "))", code: .notFound)
        }
        guard tensor.count == memory.count else {
            throw AnnealError(
                "input \(name)", "has the shape \(tensor.shape), the plan is for \(program.values[id].shape)",
                code: .mismatch)
        }
        _ = memory.update(from: tensor.elements)
    }

    /// Runs the forward pass. In training it leaves what the backward pass needs.
    public func forward() throws {
        try derived.refresh()
        try run(0..<backwardCode)
    }

    /// Runs the backward pass of the last forward pass: gradients, and the moving averages of batch norm.
    public func backward() throws {
        try run(backwardCode..<code.count)
        parameters.noteChange()
    }

    private func run(_ range: Range<Int>) throws {
        for index in range {
            var status: Int32 = 0
            if let around { around(index) { status = code[index]() } } else { status = code[index]() }
            if status != 0 { throw failure(index, status) }
        }
    }

    private func failure(_ index: Int, _ status: Int32) -> AnnealError {
        let instruction = program.instructions[steps[index].instruction]
        return AnnealError(
            "layer \(instruction.layer)", "\(engine.message(status)) in \(steps[index].implementation)",
            code: .internalDefect)
    }

    /// Changes of layout inside a run.
    public var relayouts: Int { steps.reduce(0) { $0 + $1.reorders } }

    public var outputShapes: [Shape] { program.outputs.map { program.values[$0].shape } }

    /// The symbol's output as a plain copy.
    public func output(_ index: Int = 0) throws -> Tensor { try copy(program.outputs[index]) }

    /// The output's own memory, valid until the next run; outputs with blocked layouts are not to be had so.
    package func outputMemory(_ index: Int = 0) -> UnsafeBufferPointer<Float>? {
        let id = program.outputs[index], value = program.values[id]
        guard value.layout.isSameMemory(as: .plain, value.shape), let offset = plan.offsets[id] else { return nil }
        return UnsafeBufferPointer(start: arena.base + offset, count: value.shape.count)
    }

    /// The gradient of a variable after a backward pass, as a plain copy; nil if it has none. Throws if the backward pass
    /// has used it up to update the parameter.
    public func gradient(_ name: String) throws -> Tensor? {
        guard !program.updated.contains(name) else {
            throw AnnealError(
                "gradient of \(name)", "is gone: the backward pass has updated the parameter with it",
                suggestion: "make the trainer with keepsGradients")
        }
        return try program.gradients[name].map(copy)
    }

    /// The gradient's own memory, in its variable's layout.
    package func gradientMemory(_ name: String) -> UnsafeMutablePointer<Float>? {
        guard let id = program.gradients[name], let offset = plan.offsets[id] else { return nil }
        return arena.base + offset
    }

    /// Bytes of the plan's arena: activations, gradients, scratch; parameters are in their store.
    public var plannedBytes: Int { plan.size * MemoryLayout<Float>.size }

    private func copy(_ id: Program.ValueID) throws -> Tensor {
        let value = program.values[id]
        if let offset = plan.offsets[id] {
            return try engine.read(arena.base + offset, shape: value.shape, layout: value.layout)
        }
        return try parameters.tensor(value.name)
    }
}

/// Who updates parameters within the backward pass.
private final class Updater {
    var update: (Int) -> Void = { _ in }
}
