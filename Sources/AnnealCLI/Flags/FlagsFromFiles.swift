import Anneal
import AnnealConfiguration

/// Flags that the recipe and the configuration file of the typed arguments set, unless these set them.
struct FlagsFromFiles {
    private(set) var arguments: [String] = []
    /// The flags of the file.
    private(set) var places: [String: String] = [:]

    init(_ command: ToolDescription.Command, _ typed: TypedArguments) throws {
        let name = command.commandName
        var file: [ConfigurationFile.Entry] = []
        var isOfARunBeforeResizing = false, paths: ConfiguredPaths?
        if let path = typed.values["config"] {
            guard !path.isEmpty else { throw AnnealError("--config", "is not a file name", suggestion: "leave it out") }
            let configuration = try ConfigurationFile(path)
            // A learning rate is searched with the flags of a training.
            let accepted = name == "find-lr" ? ["find-lr", "train"] : [name]
            guard accepted.contains(configuration.command ?? name) else {
                throw AnnealError(
                    path, "belongs to the command \(configuration.command ?? "")",
                    suggestion: "run anneal \(configuration.command ?? "") --config \(path)")
            }
            file = configuration.entries
            paths = ConfiguredPaths(configuration)
            isOfARunBeforeResizing = configuration.isOfARunBeforeResizing
        }
        let set = typed.names.union(file.map(\.name))
        let recipeName = typed.values["recipe"] ?? file.last { $0.name == "recipe" }.flatMap { Self.text($0.value) }
        let recipe = try recipeName.map { try Recipe.named($0) }
        let typedKind = typed.values["lr-schedule"]
        let fileKind = file.last { $0.name == "lr-schedule" }.flatMap { Self.text($0.value) }
        let recipeKind = recipe?.flags.first { $0.key == "lr-schedule" }?.value
        let replacedInFile = Self.scheduleFlags(of: fileKind ?? recipeKind, replacedBy: typedKind)
        let replacedInRecipe = Self.scheduleFlags(of: recipeKind, replacedBy: typedKind ?? fileKind)
        for entry in file {
            let flag = try Self.flag(entry, of: command)
            guard !typed.names.contains(entry.name), !replacedInFile.contains(entry.name) else { continue }
            arguments += try Self.arguments(flag, entry, paths)
            places[entry.name] = entry.place
        }
        if isOfARunBeforeResizing, !typed.names.contains("resize") { arguments.append("--resize=recorded") }
        guard let recipe else { return }
        // Comes before the file's flags.
        arguments =
            recipe.flags.compactMap { name, value in
                guard let flag = command.flag(name), !set.contains(name), !replacedInRecipe.contains(name) else {
                    return nil
                }
                return flag.takesValue ? "--\(name)=\(value)" : value == "true" ? "--\(name)" : nil
            } + arguments
    }

    /// Flags that belong to only one kind of schedule: choosing another kind drops them.
    /// - Parameters:
    ///   - kind: the kind set by a file or a recipe; nil: the standard one, steps.
    ///   - other: the kind that overrides it; nil: none.
    private static func scheduleFlags(of kind: String?, replacedBy other: String?) -> Set<String> {
        guard let other = other.flatMap(ScheduleOptions.Kind.init(rawValue:)),
            let kind = ScheduleOptions.Kind(rawValue: kind ?? "steps"), kind != other
        else { return [] }
        let falls = other == .steps || other == .plateau
        switch kind {
        case .steps: return falls ? ["lr-step-epochs"] : ["lr-step-epochs", "lr-factor"]
        case .plateau: return falls ? ["lr-patience"] : ["lr-patience", "lr-factor"]
        case .cosine, .linear, .oneCycle: return falls ? ["warmup-epochs", "lr-begin", "lr-end"] : []
        }
    }

    private static func flag(_ entry: ConfigurationFile.Entry, of command: ToolDescription.Command) throws
        -> ToolDescription.Argument
    {
        if let flag = command.flag(entry.name), entry.name != "config" { return flag }
        if let reason = LaterFlags.of(command)[entry.name] {
            throw AnnealError(entry.place, "\(entry.name) is not supported", suggestion: reason)
        }
        let near = NearMiss.flags(entry.name, of: command).filter { $0 != "--config" }.map { $0.drop { $0 == "-" } }
        throw AnnealError(
            entry.place, "\(entry.name) is not a flag of anneal \(command.commandName)",
            suggestion: near.isEmpty
                ? "anneal \(command.commandName) --help-all lists them"
                : "did you mean \(near.joined(separator: " or "))?")
    }

    private static func text(_ value: ConfigurationFile.Value) -> String? {
        if case .scalar(let text) = value { text } else { nil }
    }

    private static func arguments(
        _ flag: ToolDescription.Argument, _ entry: ConfigurationFile.Entry, _ paths: ConfiguredPaths?
    ) throws -> [String] {
        switch (entry.value, flag.takesValue) {
        case (.none, _): return []
        case (.scalar(let text), true):
            let value = flag.isSwitch ? truth(text).map { $0 ? "1" : "0" } ?? text : text
            try within(entry.place) { try CommandLineArguments.check(value, of: flag) }
            return CommandLineArguments.joined(flag.name, paths?.found(value, of: flag.name) ?? value)
        case (.list(let values), true):
            if flag.isRepeating { return values.flatMap { CommandLineArguments.joined(flag.name, $0) } }
            guard flag.takesList else {
                throw AnnealError(
                    entry.place, "\(flag.name) is a list, but it takes one value",
                    suggestion: "write '\(flag.name): \(flag.placeholder)'")
            }
            return CommandLineArguments.joined(flag.name, values.joined(separator: ","))
        case (let value, false):
            switch text(value).flatMap(truth) {
            case true?: return ["--\(flag.name)"]
            case false?: return []
            case nil:
                let found = if case .scalar(let text) = value { text } else { "a list" }
                throw AnnealError(
                    entry.place, "\(flag.name) is \(found)", suggestion: "it must be true or false")
            }
        }
    }

    private static func within(_ place: String, _ body: () throws -> Void) throws {
        do { try body() } catch let error as AnnealError { throw error.within(place) }
    }

    /// YAML's words.
    private static func truth(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on": true
        case "false", "no", "off": false
        default: nil
        }
    }
}
