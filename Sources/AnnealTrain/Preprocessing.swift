import AnnealCore
import Foundation

/// How pixels are converted to the network's input, and the names of its classes: stored next to a checkpoint as
/// `PREFIX-preprocessing.json`, so that scoring and prediction preprocess as training's validation did.
///
/// An image is decoded (to `colorOrder`), resized if `resize` is set, enlarged if it is still smaller than the shape,
/// and cropped to the shape at its centre; then (pixel - mean) / std.
public struct Preprocessing: Codable, Sendable, Equatable {
    /// Channels, height, width.
    public var imageShape: [Int]
    /// Subtracted from each channel, in the order R, G, B.
    public var mean: [Float]
    /// Each channel is then divided by it.
    public var std: [Float]
    /// The order of three or four channels: always `RGB`, as MXNet's iterator delivers them; nil for gray images.
    public private(set) var colorOrder: String?
    /// The length in pixels that the shorter side is resized to before the crop (MXNet's `resize`); nil: images keep
    /// their size.
    public var resize: Int?
    /// The names of the classes, by label.
    public var classNames: [String]?

    public init(
        imageShape: [Int], mean: [Float], std: [Float], resize: Int? = nil, classNames: [String]? = nil
    ) {
        self.imageShape = imageShape
        self.mean = mean
        self.std = std
        self.resize = resize
        self.classNames = classNames
        colorOrder = imageShape.first == 1 ? nil : "RGB"
    }

    /// `PREFIX-preprocessing.json`.
    public static func path(_ prefix: String) -> String { "\(prefix)-preprocessing.json" }

    /// Writes the record next to a checkpoint, atomically.
    public func save(prefix: String) throws {
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        try Files.writeAtomically(try encoded(), to: Preprocessing.path(prefix))
    }

    public func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return try encoder.encode(self)
    }

    /// nil if the checkpoint has none, as MXNet's do not.
    public static func load(prefix: String) throws -> Preprocessing? {
        let path = path(prefix)
        guard Files.exists(path) else { return nil }
        guard let found = try? JSONDecoder().decode(Preprocessing.self, from: Files.read(path)),
            found.imageShape.count == 3,
            found.imageShape.allSatisfy((1...1 << 16).contains), (0...1 << 16).contains(found.resize ?? 0),
            found.mean.count == found.imageShape[0],
            found.std.count == found.imageShape[0],
            found.colorOrder ?? "RGB" == "RGB"
        else {
            throw AnnealError(
                path, "is not a record of preprocessing", suggestion: "delete it and give --image-shape and --rgb-mean",
                code: .damaged)
        }
        return found
    }
}
