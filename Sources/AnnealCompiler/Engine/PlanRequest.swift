import AnnealCore
import AnnealGraph

/// What is to be planned.
public struct PlanRequest {
    /// What a plan is made of.
    public enum Source {
        /// A network. `inputs`: the shapes of data and labels; `gradients`: the variables to differentiate by.
        case network(Symbol, inputs: [String: Shape], gradients: Set<String>)
        /// Parameters alone, whose gradients are inputs (`gradient:NAME`).
        case parameters([(name: String, shape: Shape)])
    }

    public var source: Source
    /// Training has a backward pass and what follows the gradients.
    public var mode: Program.Mode
    /// What follows the gradients; nil: nothing.
    public var update: TrainingUpdate?
    /// What flows between layers.
    public var precision = ElementType.float32
    /// What the backward pass may compute a second time to save memory. All choices give the same bits.
    public var recomputation = Recomputation.cheap
    /// Whether all parameters can be read after a run; else inference may give back the memory of those that it has folded
    /// batch norm into.
    public var keepsParameters = true

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
    /// What lives in a store: variables in a given order, and states.
    public func stored(in order: [String]) -> [Value] {
        var stored: [Value] = []
        for name in order {
            guard let id = variables[name] else { continue }
            if values[id].kind == .parameter || values[id].kind == .auxiliary { stored.append(values[id]) }
        }
        return stored + states.map { values[$0] }
    }
}
