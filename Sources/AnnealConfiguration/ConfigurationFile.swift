import AnnealCore
import AnnealReport
import Foundation
import Yams

/// Flags from a YAML file: `lr: 0.1`, by their long names without the dashes; a list stands for a flag given several
/// times, true for one without a value.
package struct ConfigurationFile {
    /// What a run writes of itself into its folder.
    package static let name = "config.yaml"

    package let path: String
    /// The command that the file is for, where it says so.
    package let command: String?
    /// In the order of the file.
    package let flags: [(name: String, values: [String])]

    package init(_ path: String) throws {
        self.path = path
        let text = String(decoding: try Files.read(path), as: UTF8.self)
        let node: Yams.Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw AnnealError(path, "is not YAML: \(error)", suggestion: "write a line for each flag, as in 'lr: 0.1'")
        }
        // An empty file sets nothing.
        guard let mapping = node?.mapping ?? (node == nil ? Yams.Node.Mapping([]) : nil) else {
            throw AnnealError(path, "is not a list of flags", suggestion: "write a line for each flag, as in 'lr: 0.1'")
        }
        var command: String?
        var flags: [(String, [String])] = []
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                throw AnnealError(
                    path, "has a key that is no name", suggestion: "write a line for each flag, as in 'lr: 0.1'")
            }
            if name == "command" {
                command = value.scalar?.string
                continue
            }
            let values: [String]
            if let scalar = value.scalar {
                // `lr:` without a value says that the flag is not given.
                values = value.null == nil ? [scalar.string] : []
            } else if let list = value.sequence, list.allSatisfy({ $0.scalar != nil }) {
                values = list.compactMap { $0.scalar?.string }
            } else {
                throw AnnealError(
                    path, "\(name) is neither a value nor a list of values", suggestion: "write '\(name): VALUE'")
            }
            flags.append((name.replacingOccurrences(of: "_", with: "-"), values))
        }
        self.command = command
        self.flags = flags
    }

    /// The file that starts a run with these flags anew: what names places of one run only is left out.
    package static func text(command: String, _ flags: [String: JSONValue]) throws -> String {
        var ofOneRun: Set<String> = ["config", "run-folder", "model-prefix", "profile"]
        // In fine-tune it is of the pre-trained model.
        if command == "train" { ofOneRun.insert("load-epoch") }
        let lines = flags.filter { !ofOneRun.contains($0.key) }.sorted { $0.key < $1.key }
        let mapping = Yams.Node.Mapping(
            [(Yams.Node("command"), Yams.Node(command))] + lines.map { (Yams.Node($0.key), node($0.value)) })
        return "# anneal \(command) --config FILE starts this run anew; typed flags win over these.\n"
            + (try Yams.serialize(node: .mapping(mapping)))
    }

    private static func node(_ value: JSONValue) -> Yams.Node {
        switch value {
        case .array(let values): return .sequence(.init(values.map(node), .implicit, .flow))
        case .boolean(let flag): return Yams.Node("\(flag)")
        case .integer(let number): return Yams.Node("\(number)")
        case .number(let number): return Yams.Node("\(number)")
        case .string(let text): return Yams.Node(text)
        case .null, .object: return Yams.Node("")
        }
    }
}
