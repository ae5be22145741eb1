import AnnealCore
import AnnealGraph

/// The parameters and auxiliary states of a network, in the layouts that its convolutions want, for the whole run.
///
/// Executors for several modes and batch sizes share one store.
public final class ParameterStore {
    package struct Entry {
        package let name: String
        package let shape: Shape
        package let layout: Layout
        package let isAuxiliary: Bool
        package let memory: UnsafeMutablePointer<Float>
        /// Floats in memory, the filling included.
        package let elements: Int
        /// Its memory was given back: it must be set before it is read.
        package fileprivate(set) var isReleased = false
        /// It was given values.
        package fileprivate(set) var isSet = false
    }

    package private(set) var entries: [Entry] = []
    private var position: [String: Int] = [:]
    private var arenas: [Arena] = []
    private let engine: any Engine
    /// Counts the changes of values.
    package private(set) var revision = 0

    package init(engine: any Engine) { self.engine = engine }

    package var sharedEngine: any Engine { engine }

    /// Arguments first, then auxiliary states, each in the symbol's order.
    public var names: [String] { entries.map(\.name) }
    public func isAuxiliary(_ name: String) -> Bool { entry(name)?.isAuxiliary ?? false }
    public func shape(_ name: String) -> Shape? { entry(name)?.shape }
    /// Trained numbers, auxiliary states left out.
    public var parameterCount: Int { entries.reduce(0) { $0 + ($1.isAuxiliary ? 0 : $1.shape.count) } }

    package func entry(_ name: String) -> Entry? { position[name].map { entries[$0] } }

    package var layouts: [String: Layout] { Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.layout) }) }

    /// Makes room for a program's variables that are not here yet, and checks those that are.
    package func adopt(_ program: Program, order: [String]) throws {
        var new: [(name: String, value: Program.Value, elements: Int)] = []
        var size = 0
        for name in order {
            guard let id = program.variables[name] else { continue }
            let value = program.values[id]
            guard value.kind == .parameter || value.kind == .auxiliary else { continue }
            if let known = entry(name) {
                guard known.shape == value.shape else {
                    throw AnnealError(
                        "parameter \(name)", "has the shape \(known.shape), the network wants \(value.shape)",
                        code: .mismatch)
                }
                continue
            }
            let elements = value.layout.elements(value.shape)
            new.append((name, value, elements))
            size += (elements + 15) / 16 * 16
        }
        guard !new.isEmpty else { return }
        let arena = try engine.allocate(size)
        arenas.append(arena)
        var offset = 0
        for (name, value, elements) in new {
            position[name] = entries.count
            entries.append(
                Entry(
                    name: name, shape: value.shape, layout: value.layout, isAuxiliary: value.kind == .auxiliary,
                    memory: arena.base + offset, elements: elements))
            offset += (elements + 15) / 16 * 16
        }
    }

    /// Throws unless every parameter and state has been given values: zeros train nothing and score nonsense.
    package func checkComplete() throws {
        guard let first = entries.first(where: { !$0.isSet }) else { return }
        let count = entries.count { !$0.isSet }
        throw AnnealError(
            "parameters", "\(count) of \(entries.count) have no values yet, the first is \(first.name)",
            suggestion: "call initialize(_:) or load a checkpoint first")
    }

    /// Call after changing values in place: what is derived from them is then computed again.
    package func noteChange() { revision += 1 }

    /// The memory of values that are there.
    package func memory(_ name: String) throws -> UnsafeMutablePointer<Float> {
        guard let entry = entry(name) else {
            throw AnnealError(
                "parameter \(name)", "has no memory", suggestion: "this is a defect of Anneal's compiler",
                code: .internalDefect)
        }
        try checkPresent(entry)
        return entry.memory
    }

    /// Gives a parameter's memory back to the system.
    package func release(_ name: String) {
        guard let index = position[name] else { return }
        entries[index].isReleased = true
        Arena.release(entries[index].memory, entries[index].elements)
    }

    private func checkPresent(_ entry: Entry) throws {
        guard !entry.isReleased else {
            throw AnnealError(
                "parameter \(entry.name)", "was given back when batch norm was folded into it",
                suggestion: "make the executor with keepsParameters: true, or set all parameters again")
        }
    }

    /// A copy in plain layout.
    public func tensor(_ name: String) throws -> Tensor {
        guard let entry = entry(name) else {
            throw AnnealError("parameter \(name)", "is not in the network", code: .notFound)
        }
        try checkPresent(entry)
        return try engine.read(entry.memory, shape: entry.shape, layout: entry.layout)
    }

    public func set(_ name: String, _ tensor: Tensor) throws {
        guard let index = position[name] else {
            throw AnnealError("parameter \(name)", "is not in the network", code: .notFound)
        }
        let entry = entries[index]
        guard tensor.shape == entry.shape else {
            throw AnnealError(
                "parameter \(name)", "has the shape \(tensor.shape), the network wants \(entry.shape)",
                suggestion: "the checkpoint is of another network or image shape", code: .mismatch)
        }
        try engine.write(tensor, to: entry.memory, layout: entry.layout)
        entries[index].isReleased = false
        entries[index].isSet = true
        noteChange()
    }

    /// Elements in a parameter's own layout, as an optimizer's state has them, in plain order.
    package func plain(_ elements: UnsafeBufferPointer<Float>, of name: String) throws -> Tensor {
        guard let entry = entry(name), elements.count == entry.elements else {
            throw AnnealError("parameter \(name)", "has no \(elements.count) elements", code: .mismatch)
        }
        guard let base = elements.baseAddress else { return Tensor(entry.shape) }
        return try engine.read(base, shape: entry.shape, layout: entry.layout)
    }

    /// A plain tensor in a parameter's own layout.
    package func packed(_ tensor: Tensor, of name: String) throws -> [Float] {
        guard let entry = entry(name), tensor.shape == entry.shape else {
            throw AnnealError("parameter \(name)", "is not there or has not the shape \(tensor.shape)", code: .mismatch)
        }
        // The arena is aligned as the engine wants it, and zero where the layout is filled up.
        let arena = try engine.allocate(entry.elements)
        try engine.write(tensor, to: arena.base, layout: entry.layout)
        return Array(UnsafeBufferPointer(start: arena.base, count: entry.elements))
    }
}
