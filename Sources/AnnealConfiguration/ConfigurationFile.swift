import AnnealCore
import AnnealReport
import Foundation
import Yams

/// Flags from a YAML file: `lr: 0.1`, one per line, by their long names without the dashes. The command line decides
/// which values a flag accepts.
package struct ConfigurationFile {
    /// The file that a run writes into its folder.
    package static let name = "config.yaml"

    package enum Value: Sendable, Equatable {
        /// `lr:` or `lr: null`: the flag is not given.
        case none
        /// As written: `0.1`, `true`, `3,28,28`.
        case scalar(String)
        case list([String])
    }

    package struct Entry: Sendable {
        package var name: String
        package var value: Value
        /// For errors: `c.yaml, line 3`.
        package var place: String
    }

    package let path: String
    /// The command that the file is for, if it says so.
    package let command: String?
    /// In file order.
    package let entries: [Entry]

    package init(_ path: String) throws {
        self.path = path
        let node = try Self.compose(path)
        // An empty file sets nothing.
        guard let mapping = node?.mapping ?? (node == nil ? Yams.Node.Mapping([]) : nil) else {
            throw AnnealError(path, "is not a list of flags", suggestion: Self.form)
        }
        var command: String?
        var entries: [Entry] = [], lines: [String: Int] = [:]
        for (key, value) in mapping {
            let line = key.mark?.line ?? 0, place = "\(path), line \(line)"
            guard let written = key.scalar?.string else {
                throw AnnealError(place, "has a key that is not a name", suggestion: Self.form)
            }
            let name = written.replacingOccurrences(of: "_", with: "-")
            if let earlier = lines.updateValue(line, forKey: name) {
                throw AnnealError(place, "\(written) is also in line \(earlier)", suggestion: "leave one of them out")
            }
            if name == "command" {
                if value.null != nil { continue }
                guard let text = value.scalar?.string else {
                    throw AnnealError(place, "command is not a name", suggestion: "write 'command: train'")
                }
                command = text
                continue
            }
            entries.append(Entry(name: name, value: try Self.value(of: value, name, place), place: place))
        }
        self.command = command
        self.entries = entries
    }

    private static let form = "write a line for each flag, as in 'lr: 0.1'"

    private static func value(of node: Yams.Node, _ name: String, _ place: String) throws -> Value {
        if let scalar = node.scalar { return node.null == nil ? .scalar(scalar.string) : .none }
        guard let list = node.sequence else {
            throw AnnealError(
                place, "\(name) contains nested flags; it must be a value or a list of values",
                suggestion: "write '\(name): VALUE'")
        }
        return .list(
            try list.map { element in
                guard let scalar = element.scalar, element.null == nil else {
                    throw AnnealError(
                        place, "the list \(name) contains something that is not a value",
                        suggestion: "write '\(name): [VALUE, VALUE]'")
                }
                return scalar.string
            })
    }

    private static func compose(_ path: String) throws -> Yams.Node? {
        let text = try Files.readText(path)
        guard String(validating: try Files.read(path), as: UTF8.self) != nil else {
            throw AnnealError(path, "is not UTF-8", suggestion: "save it in that encoding")
        }
        do {
            return try Yams.compose(yaml: text)
        } catch let YamlError.duplicatedKeysInMapping(names, context) {
            throw AnnealError(
                "\(path), line \(context.mark.line)", "\(names.joined(separator: ", ")) occurs more than once",
                suggestion: "leave one of them out")
        } catch {
            let (line, problem): (Int?, String) =
                switch error as? YamlError {
                case .scanner(_, let problem, let mark, _)?, .parser(_, let problem, let mark, _)?,
                    .composer(_, let problem, let mark, _)?:
                    (mark.line, problem)
                case .reader(let problem, _, _, _)?: (nil, problem)
                default: (nil, "\(error)")
                }
            throw AnnealError(
                line.map { "\(path), line \($0)" } ?? path, "is not YAML: \(problem)", suggestion: form)
        }
    }

    /// Whether a run of Anneal 0.1 wrote it, with every effective flag but none for the size of images: images of
    /// folders were cropped without resizing.
    package var isOfARunBeforeResizing: Bool {
        let names = Set(entries.map(\.name))
        return command != nil && names.isSuperset(of: ["seed", "kv-store", "data-nthreads"])
            && !names.contains("resize")
    }

    /// The file that starts a run with these flags again; flags that name paths of one run only are left out.
    package static func text(command: String, _ flags: [String: JSONValue]) throws -> String {
        var ofOneRun: Set<String> = ["config", "run-folder", "model-prefix", "profile"]
        // In fine-tune it belongs to the pre-trained model.
        if command == "train" { ofOneRun.formUnion(["load-epoch", "reset-optimizer"]) }
        let lines = flags.filter { !ofOneRun.contains($0.key) }.sorted { $0.key < $1.key }
        let mapping = Yams.Node.Mapping(
            [(Yams.Node("command"), Yams.Node(command))] + lines.map { (Yams.Node($0.key), node($0.value)) })
        return "# anneal \(command) --config FILE starts the same run again; typed flags win over these.\n"
            + (try Yams.serialize(node: .mapping(mapping), width: -1))
    }

    private static func node(_ value: JSONValue) -> Yams.Node {
        switch value {
        case .array(let values): return .sequence(.init(values.map(node), .implicit, .flow))
        case .boolean(let flag): return Yams.Node("\(flag)")
        case .integer(let number): return Yams.Node("\(number)")
        case .unsigned(let number): return Yams.Node("\(number)")
        case .number(let number): return Yams.Node("\(number)")
        case .string(let text):
            let plain = Yams.Node(text, .implicit, .plain)
            // A model may be called null.
            return plain.null == nil ? Yams.Node(text) : Yams.Node(text, .implicit, .singleQuoted)
        case .null, .object: return Yams.Node("")
        }
    }
}
