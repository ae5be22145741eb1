import Anneal
import ArgumentParser
import Foundation

/// The parser's completion scripts, extended: they offer files where the parser's scripts offer nothing, and know the
/// commands that `anneal help` explains.
enum CompletionScript {
    /// - Parameter name: the shell's name; nil: the user's shell.
    static func text(for name: String?) throws -> String {
        let shell = name ?? ProcessInfo.processInfo.environment["SHELL"].map(Files.name) ?? ""
        switch shell {
        case "bash": return bash(AnnealTool.completionScript(for: .bash))
        case "zsh": return zsh(AnnealTool.completionScript(for: .zsh))
        case "fish": return fish(AnnealTool.completionScript(for: .fish))
        default:
            throw AnnealError(
                "--generate-completion-script", shell.isEmpty ? "names no shell" : "'\(shell)' is not known",
                suggestion: Spelling.question(Spelling.misspelt(shell, among: ["bash", "zsh", "fish"]))
                    + "it is bash, zsh or fish")
        }
    }

    /// Commands, and subcommands of some.
    private static var commands: (names: String, parts: [(group: String, names: String)]) {
        let groups = ToolDescription.commands.filter { !$0.parts.isEmpty }
        return (
            ToolDescription.overview.map(\.name).joined(separator: " "),
            groups.map { ($0.name, $0.parts.map(\.commandName).joined(separator: " ")) }
        )
    }

    /// bash splits --network=res into three words.
    private static func bash(_ script: String) -> String {
        let end = "complete -o filenames -F _anneal anneal", commands = commands
        let parts = commands.parts.map {
            "'\($0.group)') COMPREPLY=($(compgen -W '\($0.names)' -- \"${cur}\")) ;;"
        }
        return script.replacingOccurrences(
            of: end,
            with: """
                _anneal_help() {
                    if [[ "${COMP_CWORD}" -eq 2 ]]; then
                        COMPREPLY=($(compgen -W '\(commands.names)' -- "${cur}"))
                    elif [[ "${COMP_CWORD}" -eq 3 ]]; then
                        case "${COMP_WORDS[2]}" in
                        \(parts.joined(separator: "\n"))
                        esac
                    fi
                }

                _anneal_joined() {
                    local -a words=()
                    local -i number count=COMP_CWORD
                    local current="${2}" previous="${3}"
                    for number in "${!COMP_WORDS[@]}"; do
                        if [[ "${COMP_WORDS[number]}" == "=" && "${number}" -gt 0 && "${COMP_WORDS[number - 1]}" == --* ]]; then
                            if [[ "${number}" -eq "${COMP_CWORD}" ]]; then
                                words+=("")
                                current=""
                            elif [[ "${number}" -lt "${COMP_CWORD}" ]]; then
                                count+=-1
                            fi
                        else
                            words+=("${COMP_WORDS[number]}")
                        fi
                    done
                    [[ "${count}" -gt 0 ]] && previous="${words[count - 1]}"
                    local -a COMP_WORDS=("${words[@]}")
                    local -i COMP_CWORD=count
                    _anneal "${1}" "${current}" "${previous}"
                }

                complete -o filenames -o bashdefault -o default -F _anneal_joined anneal
                """)
    }

    private static func zsh(_ script: String) -> String {
        let commands = commands
        let parts = commands.parts.map { "[[ ${words[2]} == \($0.group) ]] && compadd \($0.names)" }
        let script = script.replacingOccurrences(
            of: "'*:subcommands:'",
            with: "'1:command:(\(commands.names))' '2::command:{\(parts.joined(separator: "; "))}'")
        // A value without an action: '--lr[Learning rate.]:RATE:'
        return script.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasSuffix(":'") && $0.contains("'") ? $0.dropLast() + "_files'" : $0 }.joined(separator: "\n")
    }

    private static func fish(_ script: String) -> String {
        let commands = commands
        let condition = "__anneal_should_offer_completions_for_positional \"anneal help\""
        let help =
            ["complete -c 'anneal' -n '\(condition) -eq 1' -fa '\(commands.names)'"]
            + commands.parts.map { group, names in
                "complete -c 'anneal' -n '\(condition) -eq 2; and contains \(group) (commandline -opc)' -fa '\(names)'"
            }
        return script.replacingOccurrences(of: "-rfka ''", with: "-rF").replacingOccurrences(of: "-fka ''", with: "-F")
            + "\n" + help.joined(separator: "\n") + "\n"
    }
}
