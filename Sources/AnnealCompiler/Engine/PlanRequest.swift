import AnnealCore
import AnnealGraph

/// A request for a plan.
public struct PlanRequest {
    /// The source of the program.
    public enum Source {
        /// A network. `inputs`: the shapes of data and labels; `gradients`: the variables to differentiate by.
        case network(Symbol, inputs: [String: Shape], gradients: Set<String>)
        /// Parameters alone, with gradients as inputs (`gradient:NAME`).
        case parameters([(name: String, shape: Shape)])
    }

    public var source: Source
    /// Training has a backward pass and an update.
    public var mode: Program.Mode
    /// What happens after the gradients; nil: nothing.
    public var update: TrainingUpdate?
    /// The type between layers.
    public var precision = ElementType.float32
    /// What the backward pass may recompute to save memory. All choices give the same bits.
    public var recomputation = Recomputation.cheap
    /// Whether all parameters can be read after a run; otherwise inference may release the memory of those into which
    /// it has folded batch norm.
    public var keepsParameters = true

    /// A request with the defaults for everything else.
    public init(_ source: Source, mode: Program.Mode) {
        self.source = source
        self.mode = mode
    }
}

extension PlanRequest {
    /// Parameters and auxiliary states, in the order in which stores name them.
    public func storedNames() throws -> [String] {
        switch source {
        case .network(let symbol, _, _): try symbol.argumentNames() + symbol.auxiliaryNames()
        case .parameters(let list): list.map(\.name)
        }
    }
}

extension Program {
    /// The values in a store: variables in a given order, and states.
    public func stored(in order: [String]) -> [Value] {
        var stored: [Value] = []
        for name in order {
            guard let id = variables[name] else { continue }
            if values[id].kind == .parameter || values[id].kind == .auxiliary { stored.append(values[id]) }
        }
        return stored + states.map { values[$0] }
    }
}
