import AnnealCore
import AnnealGraph

/// A program with its kernels, ready for memory planning: the result of all passes over a symbol.
struct Compilation {
    private(set) var program: Program
    /// One per instruction; nil for views, which compute nothing.
    private(set) var kernels: [PreparedKernel?] = []

    static func compile(_ request: PlanRequest, store: ParameterStore, engine: any KernelEngine) throws -> Compilation {
        let passes = try request.passes(
            updatesEarly: true, engine: engine.choosesLayouts ? engine : nil, layouts: store.layouts)
        var result = try Compilation(passes, engine: engine)
        guard request.mode == .training else { return result }
        if engine.choosesLayouts, case .network = request.source {
            let recomputed = try RecomputationSearch.apply(
                request.recomputation, to: passes, needs: result.needs, engine: engine)
            let kernels = result.kernels
            result = try Compilation(recomputed.program, engine: engine) { kernels[recomputed.origins[$0]] }
        }
        try result.addUpdate(request, engine)
        return result
    }

    var needs: [KernelNeeds] { kernels.map { $0?.needs ?? KernelNeeds() } }

    /// - Parameter known: the existing kernel of an instruction, unless it is a repetition; those have their own.
    private init(_ program: Program, engine: any KernelEngine, known: (Int) -> PreparedKernel? = { _ in nil }) throws {
        self.program = program
        for (index, instruction) in program.instructions.enumerated() {
            if program.viewed(by: instruction) != nil {
                kernels.append(nil)
            } else if case .recompute = instruction.action {
                kernels.append(try Compilation.prepare(instruction, program, engine))
            } else {
                kernels.append(try known(index) ?? Compilation.prepare(instruction, program, engine))
            }
        }
    }

    private static func prepare(_ instruction: Program.Instruction, _ program: Program, _ engine: any KernelEngine)
        throws
        -> PreparedKernel
    {
        let site = KernelSite(instruction: instruction, mode: program.mode, values: program.values)
        for (_, id) in instruction.reads + instruction.writes where program.values[id].type != .float32 {
            throw AnnealError(
                "layer \(instruction.layer)",
                "computes in \(program.values[id].type.rawValue), but the \(engine.name) engine supports float32 only",
                suggestion: "leave --dtype out, or use an accelerator (--devices)", code: .unsupported)
        }
        do {
            return try engine.prepare(site)
        } catch let error as AnnealError where !error.place.hasPrefix("layer ") {
            throw error.within("layer \(instruction.layer)")
        }
    }

    /// Kernels are kept: the instructions they belong to stay in order.
    private mutating func addUpdate(_ request: PlanRequest, _ engine: any KernelEngine) throws {
        program = try request.withUpdate(program)
        var old = kernels.makeIterator()
        kernels = try program.instructions.map { instruction in
            guard case .update = instruction.action else { return old.next() ?? nil }
            return try Compilation.prepare(instruction, program, engine)
        }
    }
}
