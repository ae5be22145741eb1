import AnnealCore

/// All operators by MXNet's names and aliases.
public enum OperatorRegistry {
    struct Entry: Sendable {
        let name: String
        let aliases: [String]
        let type: any SymbolOperator.Type
    }

    private static let entries: [Entry] =
        operatorTypes.flatMap { type in
            [Entry(name: type.name, aliases: type.aliases, type: type)]
                + type.earlierNames.map { Entry(name: $0, aliases: [], type: type) }
        } + operatorFamilies.flatMap { members($0) }

    private static func members<Family: OperatorFamily>(_ family: Family.Type) -> [Entry] {
        Family.Member.allCases.map { Entry(name: $0.rawValue, aliases: Family.aliases($0), type: family) }
    }

    private static let all: [String: Entry] = {
        var table: [String: Entry] = [:]
        for entry in entries { for name in [entry.name] + entry.aliases { table[name] = entry } }
        return table
    }()

    /// The names of all operators, without aliases.
    public static var names: [String] { entries.map(\.name) }

    /// The name that MXNet 1.9.1 writes for an operator, e.g. `SoftmaxOutput` for `Softmax`; nil if unknown.
    public static func canonicalName(_ name: String) -> String? { all[name]?.name }

    /// The type that implements the operator of that name or alias; a family for its members.
    package static func type(named name: String) -> (any SymbolOperator.Type)? { all[name]?.type }

    package static func make(_ name: String, _ attributes: [String: String]) throws -> any SymbolOperator {
        guard let entry = all[name] else {
            throw AnnealError(
                "", "operator \(name) is not known", suggestion: "Anneal has no such operator yet", code: .unsupported)
        }
        var reader = AttributeReader(operation: name, attributes)
        let op = try entry.type.init(&reader)
        try reader.finish()
        return op
    }
}
