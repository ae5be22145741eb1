import AnnealCore
import Foundation

/// How pixels became the network's input: kept beside a checkpoint as `PREFIX-preprocessing.json`, so that scoring does
/// what training did.
public struct Preprocessing: Codable, Sendable, Equatable {
    /// Channels, height, width.
    public var imageShape: [Int]
    /// Subtracted from each channel, in the order R, G, B.
    public var mean: [Float]
    /// What each channel is divided by after that.
    public var std: [Float]

    public init(imageShape: [Int], mean: [Float], std: [Float]) {
        self.imageShape = imageShape
        self.mean = mean
        self.std = std
    }

    public static func path(_ prefix: String) -> String { "\(prefix)-preprocessing.json" }

    public func save(prefix: String) throws {
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try Files.writeAtomically(try encoder.encode(self), to: Preprocessing.path(prefix))
    }

    /// nil if the checkpoint has none, as MXNet's own.
    public static func load(prefix: String) throws -> Preprocessing? {
        let path = path(prefix)
        guard Files.exists(path) else { return nil }
        guard let found = try? JSONDecoder().decode(Preprocessing.self, from: Files.read(path)),
            found.imageShape.count == 3,
            found.imageShape.allSatisfy({ $0 > 0 }), found.mean.count == found.std.count
        else {
            throw AnnealError(
                path, "is not a record of preprocessing", mend: "delete it and give --image-shape and --rgb-mean")
        }
        return found
    }
}
