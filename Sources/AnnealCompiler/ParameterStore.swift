import AnnealCore
import AnnealGraph

/// The parameters, auxiliary states and optimizer states of a network, in the memory of its engine, for the whole run.
///
/// Executors for several modes and batch sizes share one store.
public final class ParameterStore {
    package struct Entry {
        package let name: String
        package let kind: Program.Kind
        package let array: any EngineArray
        /// Its memory was released: it must be set before it is read.
        package fileprivate(set) var isReleased = false
        /// It has been given values.
        package fileprivate(set) var isSet = false

        package var shape: Shape { array.shape }
        /// nil if it is not a state.
        package var stateName: StateName? { kind == .state ? StateName(name) : nil }
        package var isAuxiliary: Bool { kind == .auxiliary }
    }

    /// Parameters first, then auxiliary states, each in the symbol's order.
    package private(set) var entries: [Entry] = []
    /// What training stores in addition: the optimizer's states, averages, sums. Initially zero.
    package private(set) var states: [Entry] = []
    private var position: [String: Int] = [:]
    private var statePosition: [String: Int] = [:]
    /// The engine that owns the arrays' memory.
    public let engine: any Engine
    /// Counts the changes of values.
    package private(set) var revision = 0

    /// An empty store, which the engine's plans fill.
    public init(engine: any Engine) { self.engine = engine }

    /// A store for another plan of the network: parameters and states are shared, auxiliary states are separate.
    package init(sharing other: ParameterStore) {
        engine = other.engine
        entries = other.entries.filter { !$0.isAuxiliary }
        states = other.states
        for (index, entry) in entries.enumerated() { position[entry.name] = index }
        statePosition = other.statePosition
    }

    /// Parameters first, then auxiliary states, each in the symbol's order.
    public var names: [String] { entries.map(\.name) }
    /// Whether this is the name of an auxiliary state.
    public func isAuxiliary(_ name: String) -> Bool { entry(name)?.isAuxiliary ?? false }
    /// The shape of a value; nil if the store does not have it.
    public func shape(_ name: String) -> Shape? { entry(name)?.shape }
    /// The number of trained elements, without auxiliary states.
    public var parameterCount: Int { entries.reduce(0) { $0 + ($1.isAuxiliary ? 0 : $1.shape.count) } }

    package func entry(_ name: String) -> Entry? { position[name].map { entries[$0] } }
    package func state(_ name: StateName) -> Entry? { state(name.text) }
    private func state(_ name: String) -> Entry? { statePosition[name].map { states[$0] } }

    /// Allocates values that are not in the store yet, and checks those that are.
    /// - Parameters:
    ///   - values: parameters and auxiliary states in the order of `names`, and states.
    ///   - make: creates their arrays.
    public func adopt(_ values: [Program.Value], make: ([Program.Value]) throws -> [any EngineArray]) throws {
        var new: [Program.Value] = []
        for value in values {
            guard let known = value.kind == .state ? state(value.name) : entry(value.name) else {
                new.append(value)
                continue
            }
            guard known.shape == value.shape else {
                throw AnnealError(
                    "parameter \(value.name)", "has the shape \(known.shape), but the network needs \(value.shape)",
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

    /// Throws unless every parameter and auxiliary state has been given values: training from zeros does not work, and
    /// scoring with them is meaningless.
    package func checkComplete() throws {
        guard let first = entries.first(where: { !$0.isSet }) else { return }
        let count = entries.count { !$0.isSet }
        throw AnnealError(
            "parameters", "\(count) of \(entries.count) have no values yet; the first is \(first.name)",
            suggestion: "call initialize(_:) or load a checkpoint first")
    }

    /// Call after changing values in place: derived values are then computed again.
    public func noteChange() { revision += 1 }

    /// The array of a parameter, an auxiliary state or a state that has values.
    public func array(_ value: Program.Value) throws -> any EngineArray {
        guard let entry = value.kind == .state ? state(value.name) : entry(value.name) else {
            throw AnnealError(
                "parameter \(value.name)", "has no memory", suggestion: "this is a bug in Anneal's compiler",
                code: .internalDefect)
        }
        try checkPresent(entry)
        return entry.array
    }

    /// Returns a parameter's memory to the system.
    package func release(_ name: String) {
        guard let index = position[name] else { return }
        entries[index].isReleased = true
        entries[index].array.release()
    }

    private func checkPresent(_ entry: Entry) throws {
        guard !entry.isReleased else {
            throw AnnealError(
                "parameter \(entry.name)", "was released when batch norm was folded into it",
                suggestion: "create the executor with keepsParameters: true, or set all parameters again")
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

    /// Sets a parameter, an auxiliary state or a state.
    /// - Throws: `AnnealError` if the network has no such value, or its shape differs.
    public func set(_ name: String, _ tensor: Tensor) throws {
        guard let index = position[name] else {
            throw AnnealError("parameter \(name)", "is not in the network", code: .notFound)
        }
        guard tensor.shape == entries[index].shape else {
            throw AnnealError(
                "parameter \(name)", "has the shape \(tensor.shape), but the network needs \(entries[index].shape)",
                suggestion: "the checkpoint belongs to another network or image shape", code: .mismatch)
        }
        try entries[index].array.write(tensor)
        entries[index].isReleased = false
        entries[index].isSet = true
        noteChange()
    }
}
