import Anneal

/// Empty values, e.g. from an unset shell variable: for flags that name something optional they revert what a file or a
/// recipe gave; other flags refuse them.
enum EmptyValues {
    /// If empty, these count as not given.
    private static let takenBack: Set = [
        "data-val", "data-train-idx", "data-val-idx", "class-names", "freeze", "lr-mult", "wd-mult", "profile",
    ]
    /// A value of these flags must not be empty.
    private static let named: Set = [
        "data-train", "images", "labels", "model", "network", "optimizer", "output", "pretrained-model", "run-folder",
        "symbol", "to",
    ]

    static func check(_ value: String, of flag: ToolDescription.Argument) throws {
        guard value.isEmpty, named.contains(flag.name) else { return }
        throw refusal("--\(flag.name)", "write --\(flag.name) \(flag.placeholder)")
    }

    static func checkPositional(_ value: String, of command: ToolDescription.Command) throws {
        guard value.isEmpty else { return }
        let name = command.positionals.first?.placeholder ?? "argument"
        throw refusal(name, "name it, or leave it out")
    }

    private static func refusal(_ place: String, _ suggestion: String) -> AnnealError {
        AnnealError("\(place) ''", "is empty", suggestion: "\(suggestion); is a variable of the shell not set?")
    }

    /// Removes the flags whose last value is empty, and for flags with several values all those up to an empty one.
    /// - Parameter arguments: flags in full, each joined to its value unless that is empty.
    static func removed(from arguments: [String]) -> [String] {
        var kept: [(flag: Substring?, words: ArraySlice<String>)] = [], rest = arguments[...]
        while let word = rest.first {
            let name = word.dropFirst(2).prefix { $0 != "=" }
            guard word != "--" else {
                kept.append((nil, rest))
                break
            }
            let isEmpty = word.hasPrefix("--") && takenBack.contains(String(name)) && rest.dropFirst().first == ""
            if isEmpty {
                kept.removeAll { $0.flag == name }
            } else {
                kept.append((word.hasPrefix("--") ? name : nil, rest.prefix(1)))
            }
            rest = rest.dropFirst(isEmpty ? 2 : 1)
        }
        return kept.flatMap(\.words)
    }
}
