import AnnealCore
import AnnealGraph

extension PlanRequest {
    /// The program of an engine that takes each operator of the symbol by itself, in plain layouts: forward and backward pass
    /// and what follows the gradients, with element types.
    /// - Parameter updatesEarly: whether large parameters are updated within the backward pass. Engines that order the work
    ///   themselves do not need it.
    /// - Throws: `AnnealError` by the layer, e.g. for shapes that do not fit.
    public func program(updatesEarly: Bool = false) throws -> Program {
        var program: Program
        switch source {
        case .network(let symbol, let inputs, let gradients):
            program = try Lowering.lower(symbol, inputs: inputs, mode: mode)
            if mode == .training { program = try Autodiff.differentiate(program, wanted: gradients, engine: nil) }
        case .parameters(let parameters): program = Lowering.parameters(parameters, mode: mode)
        }
        if mode == .training, let update {
            program = try UpdatePass.insert(
                update, into: UpdatePass.choose(update, in: program, updatesEarly: updatesEarly))
        }
        return try Precision.assign(precision, to: program)
    }
}

/// What few engines need to say for themselves.
extension ExecutablePlan {
    /// None.
    public var relayouts: Int { 0 }

    /// One for each instruction of the program.
    public var operations: [OperationCost] {
        program.instructions.indices.map { OperationCost(program, instruction: $0, "", reorders: 0) }
    }
}
