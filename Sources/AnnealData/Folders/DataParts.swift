import AnnealCore

/// A data set with sub-folders for its parts, `train`, `val` and `test`, and the classes below each.
public struct DataParts: Sendable, Equatable {
    public let path: FilePath
    public var training: FilePath?
    public var validation: FilePath?
    public var test: FilePath?
    /// Images next to the parts, which belong to none of them.
    public private(set) var strays: [FilePath] = []

    private static let validationNames: Set = ["val", "valid", "validation"]

    /// nil if the folder is not such a data set: it has another sub-folder, or no class folders in the parts.
    /// - Throws: `AnnealError` when it cannot be read, or has a part twice.
    public init?(_ path: FilePath) throws {
        self.path = path
        var parts: [(name: String, path: FilePath)] = []
        for entry in try FolderListing(path).entries {
            let place = path.appending(entry.name)
            switch ImageWalk.verdict(entry, place) {
            case .folder: parts.append((entry.name.description.lowercased(), place))
            case .image: strays.append(place)
            case .passedOver: continue
            }
        }
        guard !parts.isEmpty, parts.allSatisfy({ Self.isPart($0.name) }) else { return nil }
        // A test part without labels is common; the others must have classes.
        let labelled = parts.filter { Self.hasFolders($0.path) }
        guard labelled.count == parts.count || labelled.contains(where: { $0.name == "train" }) else { return nil }
        func part(_ matches: (String) -> Bool) throws -> FilePath? {
            let found = labelled.filter { matches($0.name) }
            guard found.count < 2 else {
                throw AnnealError(
                    "\(path)", "has two such parts: \(found.map(\.path.name.description).joined(separator: " and "))",
                    suggestion: "give one of the two folders instead")
            }
            return found.first?.path
        }
        training = try part { $0 == "train" }
        validation = try part(Self.validationNames.contains)
        test = try part { $0 == "test" }
    }

    /// `2 images next to its parts are not used (the first: p/x.png)`; nil if there are none.
    public var strayDescription: String? {
        guard let first = strays.first else { return nil }
        let verb = strays.count == 1 ? "is" : "are"
        return "\(strays.count.counted("image")) next to its parts \(verb) not used (the first: \(first))"
    }

    private static func isPart(_ name: String) -> Bool {
        name == "train" || name == "test" || validationNames.contains(name)
    }

    private static func hasFolders(_ folder: FilePath) -> Bool {
        guard let entries = try? FolderListing(folder).entries else { return false }
        return entries.contains { entry in
            if case .folder = ImageWalk.verdict(entry, folder.appending(entry.name)) { true } else { false }
        }
    }
}
