import AnnealCore
import AnnealGraph

/// A program that is ready to be given memory, with its kernels: what all passes together make of a symbol.
struct Compilation {
    private(set) var program: Program
    /// Of each instruction; nil for views, which compute nothing, and updates, which are not the engine's.
    private(set) var kernels: [PreparedKernel?] = []

    /// What a user can choose about a plan.
    struct Options {
        var recomputation = Recomputation.cheap
        /// Floats in memory from which on parameters are updated within the backward pass; nil: none is.
        var earlyUpdates: Int?
    }

    /// - Parameters:
    ///   - gradients: the variables whose gradients are wanted in training.
    ///   - fixed: layouts that parameters have already.
    static func compile(
        _ symbol: Symbol, inputs: [String: Shape], mode: Program.Mode, gradients: Set<String>, options: Options,
        fixed: [String: Layout], engine: any Engine
    ) throws -> Compilation {
        let kernelEngine = engine as? any KernelEngine
        var program = try Lowering.lower(symbol, inputs: inputs, mode: mode)
        if let kernelEngine {
            if mode == .inference { program = try InferenceFusion.fuse(program) }
            program = try Fusion.fuse(program)
            program = try LayoutAssignment.assign(program, engine: kernelEngine, fixed: fixed)
        }
        guard mode == .training else { return try Compilation(program, engine: engine) }
        program = try Autodiff.differentiate(program, wanted: gradients, engine: kernelEngine)
        if let elements = options.earlyUpdates { program = EarlyUpdates.choose(in: program, from: elements) }
        var result = try Compilation(program, engine: engine)
        if let kernelEngine {
            let recomputed = try RecomputationSearch.apply(
                options.recomputation, to: program, needs: result.needs, engine: kernelEngine)
            let kernels = result.kernels
            result = try Compilation(recomputed.program, engine: engine) { kernels[recomputed.origins[$0]] }
        }
        try result.insertEarlyUpdates()
        return result
    }

    var needs: [KernelNeeds] { kernels.map { $0?.needs ?? KernelNeeds() } }

    /// - Parameter known: a kernel that an instruction has already, unless it is a repetition; those have their own.
    private init(_ program: Program, engine: any Engine, known: (Int) -> PreparedKernel? = { _ in nil }) throws {
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

    private static func prepare(_ instruction: Program.Instruction, _ program: Program, _ engine: any Engine) throws
        -> PreparedKernel
    {
        let site = KernelSite(instruction: instruction, mode: program.mode, values: program.values)
        do {
            return try engine.prepare(site)
        } catch let error as AnnealError where !error.place.hasPrefix("layer ") {
            throw error.within("layer \(instruction.layer)")
        }
    }

    private mutating func insertEarlyUpdates() throws {
        program = try EarlyUpdates.insert(into: program)
        for (index, instruction) in program.instructions.enumerated() {
            if case .update = instruction.action { kernels.insert(nil, at: index) }
        }
    }
}
