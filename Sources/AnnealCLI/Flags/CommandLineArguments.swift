import Anneal
import AnnealConfiguration
import ArgumentParser
import Foundation

/// What is done before arguments are parsed. As Python's argparse does for users of MXNet's scripts: any unique beginning
/// of a flag stands for it (`--num-epoch`), and flags that Anneal has not are refused by name. And the flags of a recipe and
/// of a configuration file are put before the typed ones, where these do not set them.
enum CommandLineArguments {
    static func prepare(_ arguments: [String]) throws -> [String] {
        guard let first = arguments.first,
            let command = AnnealTool.configuration.subcommands.first(where: { $0._commandName == first })
        else { return arguments }
        let flags = flags(of: command)
        let known = flags.map(\.name) + ["help", "version"]
        let later = command is any MXNetScript.Type ? LaterFlags.reasons : [:]
        var typed: [String] = [], names: Set<String> = []
        var verbatim = false
        for argument in arguments.dropFirst() {
            guard !verbatim, argument.hasPrefix("--"), argument != "--" else {
                verbatim = verbatim || argument == "--"
                typed.append(argument)
                continue
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // MXNet's mnist script writes --image_shape.
            let name = String(parts[0]).replacingOccurrences(of: "_", with: "-")
            let full = try expand(name, among: known + Array(later.keys))
            if let reason = later[full] { throw AnnealError("--\(full)", "is not supported", suggestion: reason) }
            names.insert(full)
            typed.append("--" + full + (parts.count > 1 ? "=" + parts[1] : ""))
        }
        guard command is any MXNetScript.Type else { return [first] + typed }
        return try [first] + setFlags(command: first, flags, typed, names) + typed
    }

    /// What the recipe and the configuration file of the typed arguments set and these do not.
    private static func setFlags(command: String, _ flags: [KnownFlag], _ typed: [String], _ names: Set<String>) throws
        -> [String]
    {
        func value(_ flag: String) -> String? {
            guard let place = typed.lastIndex(where: { $0 == "--\(flag)" || $0.hasPrefix("--\(flag)=") }) else {
                return nil
            }
            if let mark = typed[place].firstIndex(of: "=") {
                return String(typed[place][typed[place].index(after: mark)...])
            }
            return place + 1 < typed.count ? typed[place + 1] : nil
        }
        var file: [(name: String, values: [String])] = []
        if let path = value("config") {
            let configuration = try ConfigurationFile(path)
            // A rate is sought with the flags of a training.
            let accepted = command == "find-lr" ? ["find-lr", "train"] : [command]
            guard accepted.contains(configuration.command ?? command) else {
                throw AnnealError(
                    path, "is of the command \(configuration.command ?? "")",
                    suggestion: "run anneal \(configuration.command ?? "") --config \(path)")
            }
            file = try configuration.flags.filter { flag in
                guard flags.contains(where: { $0.name == flag.name }), flag.name != "config" else {
                    let near = Spelling.nearest(to: flag.name, among: flags.map(\.name)).joined(separator: ", ")
                    throw AnnealError(
                        path, "\(flag.name) is no flag of anneal \(command)", suggestion: "near are \(near)")
                }
                return !names.contains(flag.name)
            }
        }
        var recipe: [(name: String, values: [String])] = []
        if let name = value("recipe") ?? file.first(where: { $0.name == "recipe" })?.values.last {
            let set = names.union(file.map(\.name))
            recipe = try Recipe.named(name).flags.filter { flag in
                flags.contains { $0.name == flag.key } && !set.contains(flag.key)
            }.map { ($0.key, [$0.value]) }
        }
        return try (recipe + file).flatMap { flag in
            guard flags.contains(where: { $0.name == flag.name && !$0.takesValue }) else {
                return flag.values.map { "--\(flag.name)=\($0)" }
            }
            switch flag.values {
            case ["true"]: return ["--\(flag.name)"]
            case ["false"], []: return []
            default:
                throw AnnealError(
                    value("config") ?? "", "\(flag.name) is \(flag.values.joined(separator: ", "))",
                    suggestion: "it must be true or false")
            }
        }
    }

    static func expand(_ name: String, among names: [String]) throws -> String {
        if names.contains(name) { return name }
        let matches = Array(Set(names.filter { $0.hasPrefix(name) })).sorted()
        guard matches.count < 2 else {
            throw AnnealError(
                "--\(name)", "could be \(matches.map { "--" + $0 }.joined(separator: ", "))", suggestion: "write it out"
            )
        }
        return matches.first ?? name
    }

    struct KnownFlag {
        /// Without the dashes.
        var name: String
        var takesValue: Bool
    }

    /// The long flags of a command, from the parser's own description of itself.
    static func flags(of command: any ParsableCommand.Type) -> [KnownFlag] {
        struct Dump: Decodable {
            struct Name: Decodable {
                var kind: String
                var name: String
            }
            struct Argument: Decodable {
                var kind: String
                var names: [Name]?
            }
            struct Command: Decodable {
                var commandName: String
                var arguments: [Argument]?
                var subcommands: [Command]?
            }
            var command: Command
        }
        guard let dump = try? JSONDecoder().decode(Dump.self, from: Data(AnnealTool._dumpHelp().utf8)) else {
            return []
        }
        let found = dump.command.subcommands?.first { $0.commandName == command._commandName }
        return (found?.arguments ?? []).flatMap { argument in
            (argument.names ?? []).filter { $0.kind == "long" }.map {
                KnownFlag(name: $0.name, takesValue: argument.kind == "option")
            }
        }
    }
}

/// A command with the flags of one of MXNet's scripts.
protocol MXNetScript: ParsableCommand {}

/// Flags of MXNet's scripts that Anneal does not have yet, with what to do instead.
enum LaterFlags {
    static let reasons = [
        "gc-type": "gradients are not compressed in one process; leave it out",
        "gc-threshold": "gradients are not compressed in one process; leave it out",
        "macrobatch-size": "give --accumulate N, the batches of an update",
        "warmup-strategy": "MXNet's script uses it with the optimizer lbsgd only; leave it out",
        "monitor": "statistics of tensors are yet to come; leave it out",
        "profile-worker-suffix": "write --profile FILE.json",
        "profile-server-suffix": "there are no servers; --profile FILE.json is of this process",
        "benchmark": "synthetic data is in 'anneal bench-step'",
        "test-io": "timing the reader alone is yet to come; leave it out",
    ]
}
