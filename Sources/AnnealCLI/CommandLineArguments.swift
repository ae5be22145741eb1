import Anneal
import ArgumentParser
import Foundation

/// What Python's argparse does for users of MXNet's scripts before arguments are parsed: any unique beginning of a flag
/// stands for it (`--num-epoch`), and flags that Anneal has not are refused by name.
enum CommandLineArguments {
    static func prepare(_ arguments: [String]) throws -> [String] {
        guard let first = arguments.first,
            let command = AnnealTool.configuration.subcommands.first(where: { $0._commandName == first })
        else { return arguments }
        let known = longNames(command) + ["help", "version"]
        let later = command is any MXNetScript.Type ? LaterFlags.reasons : [:]
        var result = [first]
        var verbatim = false
        for argument in arguments.dropFirst() {
            guard !verbatim, argument.hasPrefix("--"), argument != "--" else {
                verbatim = verbatim || argument == "--"
                result.append(argument)
                continue
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // MXNet's mnist script writes --image_shape.
            let name = String(parts[0]).replacingOccurrences(of: "_", with: "-")
            let full = try expand(name, among: known + Array(later.keys))
            if let reason = later[full] { throw AnnealError("--\(full)", "is not supported", mend: reason) }
            result.append("--" + full + (parts.count > 1 ? "=" + parts[1] : ""))
        }
        return result
    }

    static func expand(_ name: String, among names: [String]) throws -> String {
        if names.contains(name) { return name }
        let matches = Array(Set(names.filter { $0.hasPrefix(name) })).sorted()
        guard matches.count < 2 else {
            throw AnnealError(
                "--\(name)", "could be \(matches.map { "--" + $0 }.joined(separator: ", "))", mend: "write it out")
        }
        return matches.first ?? name
    }

    /// The long names of a command's options, from the parser's own description of itself.
    private static func longNames(_ command: any ParsableCommand.Type) -> [String] {
        struct Dump: Decodable {
            struct Name: Decodable {
                var kind: String
                var name: String
            }
            struct Argument: Decodable { var names: [Name]? }
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
        return (found?.arguments ?? []).flatMap { $0.names ?? [] }.filter { $0.kind == "long" }.map(\.name)
    }
}

/// A command with the flags of one of MXNet's scripts.
protocol MXNetScript: ParsableCommand {}

/// Flags of MXNet's scripts that Anneal does not have yet, with what to do instead.
enum LaterFlags {
    static let reasons: [String: String] = {
        var reasons: [String: String] = [
            "gc-type": "gradients are not compressed in one process; leave it out",
            "gc-threshold": "gradients are not compressed in one process; leave it out",
            "macrobatch-size": "large batches by accumulation are yet to come; leave it out",
            "warmup-epochs": "MXNet's script uses it with the optimizer lbsgd only; leave it out",
            "warmup-strategy": "MXNet's script uses it with the optimizer lbsgd only; leave it out",
            "monitor": "statistics of tensors are yet to come; leave it out",
            "profile-worker-suffix": "write --profile FILE.json",
            "profile-server-suffix": "there are no servers; --profile FILE.json is of this process",
            "benchmark": "synthetic data is in 'anneal bench-step'",
            "test-io": "timing the reader alone is yet to come; leave it out",
            "use-imagenet-data-augmentation": "it has no effect in MXNet either; leave it out",
        ]
        let augmentations = [
            "random-resized-crop", "min-random-area", "max-random-area", "min-random-aspect-ratio",
            "max-random-aspect-ratio", "min-random-scale", "max-random-scale", "min-crop-size", "max-crop-size",
            "max-random-h", "max-random-s", "max-random-l", "max-random-rotate-angle", "max-random-shear-ratio",
            "brightness", "contrast", "saturation", "pca-noise",
        ]
        for name in augmentations {
            reasons[name] = "this augmentation is yet to come; --random-crop, --random-mirror and --pad-size are there"
        }
        return reasons
    }()
}
