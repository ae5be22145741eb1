import AnnealCore

/// Which variables of a symbol are inputs, and which are parameters. MXNet's files do not say: it follows from the
/// operators that read a variable.
struct VariableRoles {
    /// Arguments that are labels, in graph order.
    private(set) var labels: [String] = []
    /// Arguments that may be the data, in graph order, including parameters that are read as data is (a learned scale).
    private(set) var data: [Node] = []

    /// How a value is read, directly or through other operators.
    private struct Use: OptionSet {
        let rawValue: Int
        static let data = Use(rawValue: 1)
        static let label = Use(rawValue: 2)
        static let parameter = Use(rawValue: 4)
    }

    /// MXNet's rule (`FeedForward._is_data_arg`) for variables that no operator reads as a label, such as the label of
    /// a loss written out in arithmetic. The only place where a name decides.
    private static func isNamedLabel(_ name: String) -> Bool { name.hasSuffix("label") }

    private static let parameterInputs: Set<String> = ["weight", "bias", "gamma", "beta"]

    init(_ symbol: Symbol) throws {
        let nodes = symbol.nodes
        var uses: [ObjectIdentifier: Use] = [:]
        for output in symbol.outputs { uses[ObjectIdentifier(output.node)] = .data }
        for node in nodes.reversed() where !node.isVariable {
            let op = try node.op, names = op.inputNames, label = op.labelInput
            let own = uses[ObjectIdentifier(node)] ?? []
            for (place, input) in node.inputs.enumerated() {
                let use: Use =
                    if place >= names.count || Self.parameterInputs.contains(names[place]) {
                        .parameter
                    } else if place == label {
                        .label
                    } else {
                        own
                    }
                uses[ObjectIdentifier(input.node), default: []].formUnion(use)
            }
        }
        for node in nodes where node.isVariable {
            let use = uses[ObjectIdentifier(node)] ?? []
            if use == .label || Self.isNamedLabel(node.name) && !use.contains(.parameter) {
                labels.append(node.name)
            } else if use.contains(.data) {
                data.append(node)
            }
        }
    }
}

extension Symbol {
    /// The variables that are labels, in graph order: those that losses read as labels, directly or through other
    /// operators, and those with a name that ends in `label`.
    public func labelNames() throws -> [String] { try VariableRoles(self).labels }

    /// The variable that receives the data: the one named `data`, or the only candidate.
    ///
    /// - Parameter parameters: names that are known to be parameters, such as those of a checkpoint.
    /// - Throws: if no variable, or more than one, can be the data.
    public func dataName(parameters: Set<String> = []) throws -> String {
        try Symbol.dataName(VariableRoles(self), parameters)
    }

    /// The parameters and auxiliary states, each in graph order: everything except the data and labels.
    ///
    /// - Parameter parameters: names that are known to be parameters, such as those of a checkpoint.
    /// - Throws: if no variable, or more than one, can be the data.
    public func parameterNames(parameters: Set<String> = []) throws -> [String] {
        let roles = try VariableRoles(self)
        return try parameterNames(fed: roles.labels + [Symbol.dataName(roles, parameters)])
    }

    func parameterNames(fed: [String]) throws -> [String] {
        let fed = Set(fed)
        return try argumentNames().filter { !fed.contains($0) } + auxiliaryNames()
    }

    static func dataName(_ roles: VariableRoles, _ parameters: Set<String>) throws -> String {
        let all = roles.data, unknown = all.filter { !parameters.contains($0.name) }
        var candidates = unknown.isEmpty ? all : unknown
        if candidates.contains(where: { $0.name == "data" }) { return "data" }
        // Gluon gives its parameters attributes (`__shape__`, `__init__`), but not its inputs.
        let bare = candidates.filter(\.attributes.isEmpty)
        if candidates.count > 1, !bare.isEmpty { candidates = bare }
        guard let first = candidates.first else {
            throw AnnealError("symbol", "has no input", suggestion: "a classifier has one input, usually named data")
        }
        guard candidates.count == 1 else {
            throw AnnealError(
                "symbol", "has the inputs \(candidates.prefix(5).map(\.name).joined(separator: ", "))",
                suggestion: "a classifier has one input; name it data")
        }
        return first.name
    }
}
