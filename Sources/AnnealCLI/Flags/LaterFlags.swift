/// Flags of MXNet's scripts that Anneal does not support yet, with what to do instead.
enum LaterFlags {
    static let reasons = [
        "profile-worker-suffix": "write --profile FILE.json",
        "profile-server-suffix": "there are no servers; --profile FILE.json is of this process",
    ]

    /// Those that apply to a command: without the flags that it accepts itself.
    static func of(_ command: ToolDescription.Command) -> [String: String] {
        guard command.passesFlagsOn || AnnealTool.isMXNetScript(command.commandName) else { return [:] }
        let flags = CommandLineArguments.flags(of: command)
        return reasons.filter { flags[$0.key] == nil }
    }
}
