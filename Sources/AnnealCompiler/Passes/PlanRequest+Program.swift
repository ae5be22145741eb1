import AnnealCore
import AnnealGraph

extension PlanRequest {
    /// The program for an engine that takes each operator of the symbol separately, in plain layouts: forward and
    /// backward pass and the update, with element types.
    /// - Parameter updatesEarly: whether large parameters are updated within the backward pass. Engines that schedule
    ///   the work themselves do not need it.
    /// - Throws: `AnnealError` naming the layer, e.g. for shapes that do not fit.
    public func program(updatesEarly: Bool = false) throws -> Program {
        try withUpdate(passes(updatesEarly: updatesEarly))
    }

    /// Forward and backward pass, with element types, and the choice of the parameters that are updated early.
    /// - Parameters:
    ///   - engine: fuses operators and chooses layouts; nil: each operator of the symbol separately, in plain layouts.
    ///   - layouts: of the parameters that are already in the store.
    package func passes(
        updatesEarly: Bool, engine: (any KernelEngine)? = nil, layouts: [String: Layout] = [:]
    ) throws -> Program {
        var program: Program
        switch source {
        case .network(let symbol, let inputs, let gradients):
            program = try Lowering.lower(symbol, inputs: inputs, mode: mode)
            if let engine {
                if mode == .inference { program = try InferenceFusion.fuse(program) }
                program = try LayoutAssignment.assign(
                    Fusion.fuse(program), engine: engine, fixed: fixedLayouts(program, layouts))
            }
            if mode == .training {
                program = try Autodiff.differentiate(program, wanted: gradients, engine: engine)
            }
        case .parameters(let parameters): program = Lowering.parameters(parameters, mode: mode)
        }
        if mode == .training, let update {
            program = UpdatePass.choose(update, in: program, updatesEarly: updatesEarly)
        }
        return try Precision.assign(precision, to: program)
    }

    /// The same passes followed by the update.
    package func withUpdate(_ passes: Program) throws -> Program {
        guard mode == .training, let update else { return passes }
        return try UpdatePass.insert(update, into: passes)
    }

    /// Layouts that parameters already have, or must have because rows or indices matter.
    private func fixedLayouts(_ program: Program, _ known: [String: Layout]) -> [String: Layout] {
        guard update?.rule.needsPlainOrder == true else { return known }
        var layouts = known
        for (name, id) in program.variables where program.values[id].kind == .parameter {
            layouts[name] = layouts[name] ?? .plain
        }
        return layouts
    }
}
