import AnnealCore
import AnnealGraph

/// Values that a plan computes from parameters ahead of its runs: weights with batch norm folded in.
///
/// They are computed before the first run, and again before a run if the parameters have changed.
final class DerivedParameters {
    private let program: Program
    private let kernels: [PreparedKernel]
    private let store: ParameterStore
    private let engine: any KernelEngine
    private let arena: Arena
    private let offsets: [Program.ValueID: Int]
    /// For each instruction, the parameters that nothing reads after it, so that they can be released.
    private let released: [[String]]
    /// The store's revision when they were computed.
    private var revision: Int?

    /// - Parameter releases: whether parameters that are only used to compute them are released.
    init(_ program: Program, store: ParameterStore, engine: any KernelEngine, releases: Bool) throws {
        self.program = program
        self.store = store
        self.engine = engine
        kernels = try program.preparation.map {
            try engine.prepare(KernelSite(instruction: $0, mode: program.mode, values: program.values))
        }
        var offsets: [Program.ValueID: Int] = [:]
        var size = 0
        for (_, id) in program.preparation.flatMap(\.writes) {
            offsets[id] = size
            size += MemoryPlan.aligned(program.values[id].layout.elements(program.values[id].shape))
        }
        self.offsets = offsets
        arena = try engine.allocate(size)

        let running = Set(program.instructions.flatMap { $0.reads.map(\.value) })
        var lastReader: [Program.ValueID: Int] = [:]
        for (index, instruction) in program.preparation.enumerated() {
            guard releases, let weight = instruction.reading(.input(0)), !running.contains(weight) else { continue }
            lastReader[weight] = index
        }
        var released = Array(repeating: [String](), count: program.preparation.count)
        for (weight, index) in lastReader { released[index].append(program.values[weight].name) }
        self.released = released
    }

    func memory(_ id: Program.ValueID) -> UnsafeMutablePointer<Float>? { offsets[id].map { arena.base + $0 } }

    /// Recomputes them if the parameters have changed.
    func refresh() throws {
        guard !kernels.isEmpty, revision != store.revision else { return }
        let scratch = try engine.allocate(kernels.map(\.scratch).max() ?? 0)
        for (index, (instruction, kernel)) in zip(program.preparation, kernels).enumerated() {
            let pointers = try (instruction.reads + instruction.writes).map { operand in
                let pointer = try memory(operand.value) ?? store.hostMemory(program.values[operand.value])
                return (role: operand.role, pointer: pointer)
            }
            let status = try kernel.bind(KernelMemory(pointers: pointers, scratch: scratch.base, clock: StepClock()))()
            guard status == 0 else {
                throw AnnealError("layer \(instruction.layer)", engine.message(status), code: .internalDefect)
            }
            for name in released[index] { store.release(name) }
        }
        revision = store.revision
    }
}
