import Anneal
import Foundation
import Testing

@Suite struct FlagNameTests {
    private struct Description: Decodable {
        struct Command: Decodable {
            struct Argument: Decodable {
                struct Name: Decodable { var kind: String, name: String }
                var names: [Name]?
            }
            var arguments: [Argument]?
            var subcommands: [Command]?
        }
        var command: Command
    }

    /// Every long flag of every command, without its dashes.
    private func flags() throws -> Set<String> {
        let json = Tool.answer(["--experimental-dump-help"]).output
        func names(_ command: Description.Command) -> [String] {
            let own = (command.arguments ?? []).flatMap { $0.names ?? [] }
            let long = own.filter { $0.kind == "long" }.map { $0.name }
            return (command.subcommands ?? []).reduce(long) { $0 + names($1) }
        }
        return Set(names(try JSONDecoder().decode(Description.self, from: Data(json.utf8)).command))
    }

    /// Messages, help texts and suggestions only mention flags that exist.
    @Test func messagesNameOnlyFlagsThatExist() throws {
        let flags = try flags()
        #expect(flags.contains("num-layers") && flags.count > 100)
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        // Flags of the tool itself; none of them is in the dump.
        let ownFlags = ["help-all", "generate-completion-script", "experimental-dump-help"]
        // Flags of programs that start jobs (mpirun, srun), and MXNet's, which are refused.
        let foreignFlags = [
            "allow-run-as-root", "bind-to", "export", "mca", "mpi", "oversubscribe", "p3", "wdir",
        ]
        let targets = [
            "Anneal", "AnnealCLI", "AnnealCPU", "AnnealCompiler", "AnnealConfiguration", "AnnealCore", "AnnealData",
            "AnnealGraph", "AnnealNetworks", "AnnealONNX", "AnnealReport", "AnnealTrain",
        ]
        for target in targets {
            let folder = root.appendingPathComponent("Sources/\(target)").path
            let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
            for file in files where file.hasSuffix(".swift") {
                let text = String(decoding: try Files.read("\(folder)/\(file)"), as: UTF8.self)
                for line in text.split(separator: "\n") where !line.drop(while: { $0 == " " }).hasPrefix("//") {
                    for match in line.matches(of: /(?:^|[^a-z-])--([a-z][a-z0-9-]*)/) {
                        // A unique prefix is enough, and a flag's end may be inserted later.
                        let name = match.1, known = flags.filter { $0.hasPrefix(name) }
                        let isKnown =
                            flags.contains(String(name)) || ownFlags.contains(String(name)) || known.count == 1
                            || name.hasSuffix("-")
                            || file.hasPrefix("Launch/") && foreignFlags.contains(String(name))
                        #expect(isKnown, "\(target)/\(file): --\(name) in \(line)")
                    }
                }
            }
        }
    }
}
