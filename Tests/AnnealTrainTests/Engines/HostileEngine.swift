import Anneal
import AnnealCompiler
import AnnealReference
import Foundation

/// What an accelerator may do, at its worst: its memory cannot be accessed by the host (the process dies), work is done
/// on a separate thread and finishes late, inputs go through staging memory, and results arrive when they are
/// requested.
///
/// The arithmetic is the reference engine's.
final class HostileEngine: Engine {
    let name = "hostile"
    private let kernels = ProtectedKernels()
    private let worker: Worker
    /// The kernels' data for each store.
    private var stores: [ObjectIdentifier: ParameterStore] = [:]

    init() { worker = Worker(kernels) }

    func supports(_ type: any Operator.Type) -> Bool { kernels.supports(type) }

    func plan(_ request: PlanRequest, store: ParameterStore) throws -> any ExecutablePlan {
        let inner = stores[ObjectIdentifier(store)] ?? ParameterStore(engine: kernels)
        stores[ObjectIdentifier(store)] = inner
        let plan = try worker.wait { [kernels] in try KernelPlan(request, store: inner, engine: kernels) }
        let entries = inner.entries + inner.states
        let arrays = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.array) })
        try store.adopt(entries.map { .init(name: $0.name, shape: $0.shape, kind: $0.kind) }) { [worker] values in
            values.compactMap { value in arrays[value.name].map { RemoteArray($0, worker) } }
        }
        return try LatePlan(plan, worker)
    }
}

/// The reference engine's kernels over memory that only the worker can access.
private final class ProtectedKernels: KernelEngine {
    let name = "hostile"
    private let reference = ReferenceEngine()
    private var arenas: [Arena] = []

    func supports(_ type: any Operator.Type) -> Bool { reference.supports(type) }
    func prepare(_ site: KernelSite) throws -> PreparedKernel { try reference.prepare(site) }
    func message(_ status: Int32) -> String { reference.message(status) }

    func allocate(_ count: Int) throws -> Arena {
        let arena = try Arena(count)
        arenas.append(arena)
        return arena
    }

    func protect(_ isOn: Bool) {
        for arena in arenas where arena.count > 0 {
            mprotect(arena.base, arena.count * MemoryLayout<Float>.size, isOn ? PROT_NONE : PROT_READ | PROT_WRITE)
        }
    }
}

/// A thread that runs jobs one after another. It alone accesses the memory of its engine.
private final class Worker: @unchecked Sendable {
    private let kernels: ProtectedKernels
    private let queue = DispatchQueue(label: "hostile-engine")

    init(_ kernels: ProtectedKernels) { self.kernels = kernels }

    func submit(_ job: @escaping () -> Void) {
        let job = Handed(value: job)
        queue.async { [kernels = Handed(value: kernels)] in
            usleep(500)
            kernels.value.protect(false)
            job.value()
            kernels.value.protect(true)
        }
    }

    func wait<Result>(_ job: () throws -> Result) throws -> Result {
        try queue.sync {
            kernels.protect(false)
            defer { kernels.protect(true) }
            return try job()
        }
    }
}

/// The queue runs one job at a time.
private struct Handed<Value>: @unchecked Sendable { let value: Value }

private final class RemoteArray: EngineArray {
    private let array: any EngineArray
    private let worker: Worker
    let shape: Shape

    init(_ array: any EngineArray, _ worker: Worker) {
        self.array = array
        self.worker = worker
        shape = array.shape
    }

    func read() throws -> Tensor { try worker.wait { try array.read() } }
    func write(_ tensor: Tensor) throws { try worker.wait { try array.write(tensor) } }
    func release() { try? worker.wait { array.release() } }
    func isFinite() throws -> Bool { try worker.wait { try array.isFinite() } }
}

private final class LatePlan: ExecutablePlan {
    let isImmediate = false
    var around: ((_ operation: Int, _ run: () -> Void) -> Void)?
    private let plan: KernelPlan
    private let worker: Worker
    /// Staging memory for three steps, each with the results of the step that last used it.
    private var users: [LateResults?] = [nil, nil, nil]
    private var current = 0
    private var pointers: [[String: UnsafeMutableBufferPointer<Float>]] = []

    init(_ plan: KernelPlan, _ worker: Worker) throws {
        self.plan = plan
        self.worker = worker
        for _ in 0..<3 {
            var memory: [String: UnsafeMutableBufferPointer<Float>] = [:]
            try worker.wait {
                for value in plan.program.values where value.kind == .input {
                    guard let input: UnsafeMutableBufferPointer<Float> = plan.input(value.name) else { continue }
                    let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: input.count)
                    _ = copy.initialize(from: input)
                    memory[value.name] = copy
                }
            }
            pointers.append(memory)
        }
    }

    deinit { for memory in pointers { for buffer in memory.values { buffer.deallocate() } } }

    var program: Program { plan.program }
    var plannedBytes: Int { plan.plannedBytes }
    var memoryNeed: MemoryNeed { plan.memoryNeed }
    var operations: [OperationCost] { plan.operations }

    func input(_ name: String) -> UnsafeMutableBufferPointer<Float>? {
        try? users[current]?.wait()
        return pointers[current][name]
    }

    func run(_ phases: Phases, _ inputs: StepInputs) throws -> any StepResults {
        let results = LateResults(), feeds = phases.contains(.forward), staged = pointers[current], plan = plan
        worker.submit {
            do {
                if feeds {
                    for (name, source) in staged {
                        let target: UnsafeMutableBufferPointer<Float>? = plan.input(name)
                        _ = target?.update(from: source)
                    }
                }
                try plan.run(phases, inputs)
                results.outputs = plan.program.outputs.indices.map { plan.output($0).map(Array.init) }
                for name in staged.keys {
                    let input: UnsafeBufferPointer<Float>? = try plan.input(name)
                    results.inputs[name] = input.map(Array.init)
                }
                results.flags = try plan.program.checks.indices.map { Array(try plan.flags($0)) }
            } catch { results.error = error }
            results.done.signal()
        }
        if feeds {
            users[current] = results
            current = (current + 1) % 3
        }
        return results
    }

    func read(_ value: Program.ValueID) throws -> Tensor { try worker.wait { try plan.read(value) } }
}

private final class LateResults: StepResults {
    let done = DispatchSemaphore(value: 0)
    var outputs: [[Float]?] = []
    var inputs: [String: [Float]] = [:]
    var flags: [[Float]] = []
    var error: (any Error)?
    /// Copies to which pointers stay valid.
    private var kept: [UnsafeMutableBufferPointer<Float>] = []

    deinit { for buffer in kept { buffer.deallocate() } }

    func wait() throws {
        done.wait()
        done.signal()
        if let error { throw error }
    }

    private func pointer(_ values: [Float]) -> UnsafeBufferPointer<Float> {
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
        _ = buffer.initialize(from: values)
        kept.append(buffer)
        return UnsafeBufferPointer(buffer)
    }

    func output(_ index: Int) throws -> UnsafeBufferPointer<Float>? {
        try wait()
        return outputs[index].map(pointer)
    }

    func input(_ name: String) throws -> UnsafeBufferPointer<Float>? {
        try wait()
        return inputs[name].map(pointer)
    }

    func flags(_ check: Int) throws -> UnsafeBufferPointer<Float> {
        try wait()
        return pointer(flags[check])
    }
}
