import AnnealCore
import AnnealGraph

/// A program that is ready to be given memory, with its kernels: what all passes together make of a symbol.
struct Compilation {
    private(set) var program: Program
    /// Of each instruction; nil for views, which compute nothing.
    private(set) var kernels: [PreparedKernel?] = []

    static func compile(_ request: PlanRequest, store: ParameterStore, engine: any KernelEngine) throws -> Compilation {
        var program: Program
        switch request.source {
        case .network(let symbol, let inputs, _):
            program = try Lowering.lower(symbol, inputs: inputs, mode: request.mode)
            if engine.choosesLayouts {
                if request.mode == .inference { program = try InferenceFusion.fuse(program) }
                program = try Fusion.fuse(program)
                program = try LayoutAssignment.assign(
                    program, engine: engine, fixed: request.fixedLayouts(program, store.layouts))
            }
        case .parameters(let parameters): program = Lowering.parameters(parameters, mode: request.mode)
        }
        guard request.mode == .training else {
            return try Compilation(Precision.assign(request.precision, to: program), engine: engine)
        }
        if case .network(_, _, let gradients) = request.source {
            program = try Autodiff.differentiate(
                program, wanted: gradients, engine: engine.choosesLayouts ? engine : nil)
        }
        if let update = request.update { program = UpdatePass.choose(update, in: program) }
        program = try Precision.assign(request.precision, to: program)
        var result = try Compilation(program, engine: engine)
        if engine.choosesLayouts, case .network = request.source {
            let recomputed = try RecomputationSearch.apply(
                request.recomputation, to: program, needs: result.needs, engine: engine)
            let kernels = result.kernels
            result = try Compilation(recomputed.program, engine: engine) { kernels[recomputed.origins[$0]] }
        }
        if let update = request.update { try result.insert(update, engine) }
        return result
    }

    var needs: [KernelNeeds] { kernels.map { $0?.needs ?? KernelNeeds() } }

    /// - Parameter known: a kernel that an instruction has already, unless it is a repetition; those have their own.
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
                "computes in \(program.values[id].type.rawValue), and the \(engine.name) engine in float32 only",
                suggestion: "leave --dtype out, or use an accelerator (--devices)", code: .unsupported)
        }
        do {
            return try engine.prepare(site)
        } catch let error as AnnealError where !error.place.hasPrefix("layer ") {
            throw error.within("layer \(instruction.layer)")
        }
    }

    /// Kernels are kept: what they are of stays in order.
    private mutating func insert(_ update: TrainingUpdate, _ engine: any KernelEngine) throws {
        program = try UpdatePass.insert(update, into: program)
        var old = kernels.makeIterator()
        kernels = try program.instructions.map { instruction in
            guard case .update = instruction.action else { return old.next() ?? nil }
            return try Compilation.prepare(instruction, program, engine)
        }
    }
}

extension PlanRequest {
    /// Layouts that parameters have already, or must have since their rows or places count.
    fileprivate func fixedLayouts(_ program: Program, _ known: [String: Layout]) -> [String: Layout] {
        guard update?.rule.needsPlainOrder == true else { return known }
        var layouts = known
        for (name, id) in program.variables where program.values[id].kind == .parameter {
            layouts[name] = layouts[name] ?? .plain
        }
        return layouts
    }
}
