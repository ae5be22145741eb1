import AnnealCore

/// A node of a symbol graph: a variable, or an operator applied to entries of other nodes. Immutable.
public final class Node: Sendable {
    /// The MXNet name of the operator; nil for a variable.
    public let operation: String?
    public let name: String
    /// The attributes as MXNet writes them, operator parameters and annotations (`__lr_mult__`) together.
    public let attributes: [String: String]
    public var inputs: [Entry] { storedInputs }
    /// Written only by `deinit`, when nothing else references the node.
    nonisolated(unsafe) private var storedInputs: [Entry]
    /// The parsed attributes, read when the node was created; nil for a variable.
    private let parsed: Result<any SymbolOperator, any Error>?

    private init(
        _ operation: String?, _ name: String, _ attributes: [String: String], _ inputs: [Entry],
        _ parsed: Result<any SymbolOperator, any Error>?
    ) {
        self.operation = operation
        self.name = name
        self.attributes = attributes
        self.parsed = parsed
        storedInputs = inputs
    }

    /// Attributes that the operator does not have are an error of `op`, not of the node.
    public convenience init(
        operation: String?, name: String, attributes: [String: String] = [:], inputs: [Entry] = []
    ) {
        let parsed = operation.map { operation in Result { try OperatorRegistry.make(operation, attributes) } }
        self.init(operation, name, attributes, inputs, parsed)
    }

    /// A node with an operator that has already been parsed from these attributes.
    package convenience init(
        _ op: any SymbolOperator, operation: String, name: String, attributes: [String: String], inputs: [Entry]
    ) {
        self.init(operation, name, attributes, inputs, .success(op))
    }

    /// The same node with other inputs, and with `changes` overriding its attributes.
    func copied(inputs: [Entry], changes: [String: String] = [:]) -> Node {
        guard !changes.isEmpty else { return Node(operation, name, attributes, inputs, parsed) }
        return Node(
            operation: operation, name: name, attributes: attributes.merging(changes) { _, new in new }, inputs: inputs)
    }

    deinit {
        // Freeing a long chain of nodes recursively would overflow the stack: they are unlinked one by one.
        var rest = storedInputs.map(\.node)
        storedInputs = []
        while var node = rest.popLast() {
            guard isKnownUniquelyReferenced(&node) else { continue }
            rest += node.storedInputs.map(\.node)
            node.storedInputs = []
        }
    }

    public var isVariable: Bool { operation == nil }

    /// The typed operator. Throws an error that names the layer and the attribute.
    public var op: any SymbolOperator {
        get throws {
            guard let parsed else { throw AnnealError(name, "is a variable, not an operator") }
            do {
                return try parsed.get()
            } catch let error as AnnealError {
                throw error.within("layer \(name)")
            }
        }
    }
}

/// One output of a node.
public struct Entry: Sendable {
    public let node: Node
    public let index: Int
    /// How often operators had changed the variable when it was read: MXNet's files have 1 for an auxiliary state.
    public let version: Int

    public init(_ node: Node, _ index: Int = 0, version: Int = 0) {
        self.node = node
        self.index = index
        self.version = version
    }
}

/// A graph of operators with one or more outputs: what a user builds and what `-symbol.json` holds.
///
/// A symbol does not fix shapes, devices or memory; `Executor` compiles it for given input shapes.
public struct Symbol: Sendable {
    public let outputs: [Entry]

    public init(_ outputs: [Entry]) { self.outputs = outputs }
    public init(_ node: Node) { self.init([Entry(node)]) }

    /// A free variable: an input or a parameter, depending on what is fed.
    public static func variable(_ name: String, attributes: [String: String] = [:]) -> Symbol {
        Symbol(Node(operation: nil, name: name, attributes: attributes))
    }

    /// Several symbols as the outputs of one.
    public static func group(_ symbols: [Symbol]) -> Symbol { Symbol(symbols.flatMap(\.outputs)) }

    /// One output of a symbol with several.
    /// - Precondition: `index` is in 0 ..< outputs.count.
    public subscript(index: Int) -> Symbol { Symbol([outputs[index]]) }

    /// All nodes, each after its inputs, in MXNet's order (depth first from the outputs, inputs left to right).
    public var nodes: [Node] {
        var order: [Node] = []
        var seen = Set<ObjectIdentifier>()
        // An explicit stack: graphs may be thousands of nodes deep.
        var stack: [(node: Node, next: Int)] = []
        for output in outputs where seen.insert(ObjectIdentifier(output.node)).inserted {
            stack.append((output.node, 0))
            while let (node, next) = stack.last {
                if next < node.inputs.count {
                    stack[stack.count - 1].next += 1
                    let input = node.inputs[next].node
                    if seen.insert(ObjectIdentifier(input)).inserted { stack.append((input, 0)) }
                } else {
                    order.append(node)
                    stack.removeLast()
                }
            }
        }
        return order
    }

    /// The names of MXNet's `list_arguments()`: inputs and parameters, in graph order.
    public func argumentNames() throws -> [String] {
        let auxiliary = try auxiliaryNodes()
        return nodes.filter { $0.isVariable && !auxiliary.contains(ObjectIdentifier($0)) }.map(\.name)
    }

    /// The names of MXNet's `list_auxiliary_states()`: variables that operators change, e.g. moving averages.
    public func auxiliaryNames() throws -> [String] {
        let auxiliary = try auxiliaryNodes()
        return nodes.filter { auxiliary.contains(ObjectIdentifier($0)) }.map(\.name)
    }

    /// The names of MXNet's `list_outputs()`.
    public func outputNames() throws -> [String] {
        // The names of a layer with many outputs are computed once.
        var names: [ObjectIdentifier: [String]] = [:]
        return try outputs.map { output in
            let node = output.node
            if node.isVariable { return try Symbol.outputName(output) }
            let known = try names[ObjectIdentifier(node)] ?? node.op.outputNames
            names[ObjectIdentifier(node)] = known
            guard output.index < known.count else { return try Symbol.outputName(output) }
            return "\(node.name)_\(known[output.index])"
        }
    }

    static func outputName(_ entry: Entry) throws -> String {
        let names = entry.node.isVariable ? [""] : try entry.node.op.outputNames
        guard entry.index < names.count else {
            throw AnnealError(
                "layer \(entry.node.name)", "has \(names.count) outputs, number \(entry.index) is asked for",
                code: .notFound)
        }
        if entry.node.isVariable { return entry.node.name }
        return "\(entry.node.name)_\(names[entry.index])"
    }

    func auxiliaryNodes() throws -> Set<ObjectIdentifier> {
        var result = Set<ObjectIdentifier>()
        for node in nodes where !node.isVariable {
            let op = try node.op
            for entry in node.inputs.dropFirst(op.inputNames.count) where entry.node.isVariable {
                result.insert(ObjectIdentifier(entry.node))
            }
        }
        return result
    }

    /// Every entry of the graph as an output, MXNet's `get_internals()`.
    public func internals() throws -> Symbol {
        Symbol(
            try nodes.flatMap { node in
                (0..<(node.isVariable ? 1 : try node.op.outputNames.count)).map { Entry(node, $0) }
            })
    }

    /// The internal output of that name, e.g. `flatten0_output`.
    public func output(named name: String) throws -> Symbol {
        let internals = try internals()
        for (entry, found) in zip(internals.outputs, try internals.outputNames()) where found == name {
            return Symbol([entry])
        }
        throw AnnealError(
            "symbol", "has no output \(name)", suggestion: "'anneal summary' lists the layers", code: .notFound)
    }
}
