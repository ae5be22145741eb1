import AnnealCore
import AnnealGraph

/// The parameters, auxiliary states and optimizer's states of a network, in the memory of its engine, for the whole run.
///
/// Executors for several modes and batch sizes share one store.
public final class ParameterStore {
    package struct Entry {
        package let name: String
        package let kind: Program.Kind
        package let array: any EngineArray
        /// Its memory was given back: it must be set before it is read.
        package fileprivate(set) var isReleased = false
        /// It was given values.
        package fileprivate(set) var isSet = false

        package var shape: Shape { array.shape }
        /// nil if it is no state.
        package var stateName: StateName? { kind == .state ? StateName(name) : nil }
        package var isAuxiliary: Bool { kind == .auxiliary }
    }

    /// Parameters first, then auxiliary states, each in the symbol's order.
    package private(set) var entries: [Entry] = []
    /// What training keeps in addition: the optimizer's states, averages, sums. Zero at first.
    package private(set) var states: [Entry] = []
    private var position: [String: Int] = [:]
    private var statePosition: [String: Int] = [:]
    /// Whose memory the arrays are in.
    public let engine: any Engine
    /// Counts the changes of values.
    package private(set) var revision = 0

    /// An empty store, which plans of the engine fill.
    public init(engine: any Engine) { self.engine = engine }

    /// A store for another plan of the network: parameters and states are shared, auxiliary states its own.
    package init(sharing other: ParameterStore) {
        engine = other.engine
        entries = other.entries.filter { !$0.isAuxiliary }
        states = other.states
        for (index, entry) in entries.enumerated() { position[entry.name] = index }
        statePosition = other.statePosition
    }

    /// Parameters first, then auxiliary states, each in the symbol's order.
    public var names: [String] { entries.map(\.name) }
    public func isAuxiliary(_ name: String) -> Bool { entry(name)?.isAuxiliary ?? false }
    public func shape(_ name: String) -> Shape? { entry(name)?.shape }
    /// Trained numbers, auxiliary states left out.
    public var parameterCount: Int { entries.reduce(0) { $0 + ($1.isAuxiliary ? 0 : $1.shape.count) } }

    package func entry(_ name: String) -> Entry? { position[name].map { entries[$0] } }
    package func state(_ name: StateName) -> Entry? { state(name.text) }
    private func state(_ name: String) -> Entry? { statePosition[name].map { states[$0] } }

    /// Makes room for values that are not here yet, and checks those that are.
    /// - Parameters:
    ///   - values: parameters and auxiliary states in the order of `names`, and states.
    ///   - make: gives their arrays.
    public func adopt(_ values: [Program.Value], make: ([Program.Value]) throws -> [any EngineArray]) throws {
        var new: [Program.Value] = []
        for value in values {
            guard let known = value.kind == .state ? state(value.name) : entry(value.name) else {
                new.append(value)
                continue
            }
            guard known.shape == value.shape else {
                throw AnnealError(
                    "parameter \(value.name)", "has the shape \(known.shape), the network needs \(value.shape)",
                    code: .mismatch)
            }
        }
        guard !new.isEmpty else { return }
        for (value, array) in zip(new, try make(new)) {
            let entry = Entry(name: value.name, kind: value.kind, array: array)
            if value.kind == .state {
                statePosition[value.name] = states.count
                states.append(entry)
            } else {
                position[value.name] = entries.count
                entries.append(entry)
            }
        }
    }

    /// Throws unless every parameter and auxiliary state has been given values: zeros train nothing and score nonsense.
    package func checkComplete() throws {
        guard let first = entries.first(where: { !$0.isSet }) else { return }
        let count = entries.count { !$0.isSet }
        throw AnnealError(
            "parameters", "\(count) of \(entries.count) have no values yet, the first is \(first.name)",
            suggestion: "call initialize(_:) or load a checkpoint first")
    }

    /// Call after changing values in place: what is derived from them is then computed again.
    public func noteChange() { revision += 1 }

    /// The array of a parameter, an auxiliary state or a state whose values are there.
    public func array(_ value: Program.Value) throws -> any EngineArray {
        guard let entry = value.kind == .state ? state(value.name) : entry(value.name) else {
            throw AnnealError(
                "parameter \(value.name)", "has no memory", suggestion: "this is a defect of Anneal's compiler",
                code: .internalDefect)
        }
        try checkPresent(entry)
        return entry.array
    }

    /// Gives a parameter's memory back to the system.
    package func release(_ name: String) {
        guard let index = position[name] else { return }
        entries[index].isReleased = true
        entries[index].array.release()
    }

    private func checkPresent(_ entry: Entry) throws {
        guard !entry.isReleased else {
            throw AnnealError(
                "parameter \(entry.name)", "was given back when batch norm was folded into it",
                suggestion: "make the executor with keepsParameters: true, or set all parameters again")
        }
    }

    /// A copy in plain order.
    public func tensor(_ name: String) throws -> Tensor {
        guard let entry = entry(name) else {
            throw AnnealError("parameter \(name)", "is not in the network", code: .notFound)
        }
        try checkPresent(entry)
        return try entry.array.read()
    }

    public func set(_ name: String, _ tensor: Tensor) throws {
        guard let index = position[name] else {
            throw AnnealError("parameter \(name)", "is not in the network", code: .notFound)
        }
        guard tensor.shape == entries[index].shape else {
            throw AnnealError(
                "parameter \(name)", "has the shape \(tensor.shape), the network needs \(entries[index].shape)",
                suggestion: "the checkpoint is of another network or image shape", code: .mismatch)
        }
        try entries[index].array.write(tensor)
        entries[index].isReleased = false
        entries[index].isSet = true
        noteChange()
    }
}
