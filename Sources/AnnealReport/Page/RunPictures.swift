import AnnealCore
import AnnealTrain
import Foundation

/// Small pictures of a run for its page, as stored in `pictures.json`: the images that the best model was most wrong
/// about, and some of the first batch after augmentation.
public struct RunPictures: Codable, Sendable, Equatable {
    /// One image with its label and the model's answer.
    public struct Picture: Codable, Sendable, Equatable {
        /// Its path, or its record's id.
        public var name: String
        /// What it shows; only for a training image.
        public var label: String
        /// The model's answer, with the probabilities of both classes; nil for a training image.
        public var predicted: String?
        public var probability: Double?
        public var labelProbability: Double?
        public var png: Data

        public init(
            name: String, label: String, predicted: String? = nil, probability: Double? = nil,
            labelProbability: Double? = nil, png: Data
        ) {
            self.name = name
            self.label = label
            self.predicted = predicted
            self.probability = probability
            self.labelProbability = labelProbability
            self.png = png
        }

        enum CodingKeys: String, CodingKey {
            case name, label, predicted, probability, png
            case labelProbability = "label_probability"
        }
    }

    /// The maximum number of pictures.
    public static let most = 50
    /// The longer side at most, in pixels.
    public static let side = 64
    static let name = "pictures.json"

    public var worst: [Picture]
    /// The number of all wrong answers.
    public var wrong: Int
    public var training: [Picture]

    public init(worst: [Picture] = [], wrong: Int = 0, training: [Picture] = []) {
        self.worst = worst
        self.wrong = wrong
        self.training = training
    }

    public func write(to folder: RunFolder) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try Files.writeAtomically(try encoder.encode(self), to: folder.file(Self.name))
    }

    /// Read from a run's folder; nil if the file is missing or incomplete.
    public static func read(inFolder folder: String) -> RunPictures? {
        guard let data = try? Files.read(Files.path(folder, name)),
            var found = try? JSONDecoder().decode(RunPictures.self, from: data)
        else { return nil }
        // A page declares them as PNG.
        func isPNG(_ picture: Picture) -> Bool { picture.png.starts(with: [0x89, 0x50, 0x4E, 0x47]) }
        found.worst = Array(found.worst.filter(isPNG).prefix(most))
        found.training = Array(found.training.filter(isPNG).prefix(most - found.worst.count))
        return found
    }
}

/// The layers of a run's network, as stored in `layers.json`.
public struct RunLayers: Codable, Sendable, Equatable {
    public struct Layer: Codable, Sendable, Equatable {
        public var name: String
        public var operation: String
        public var output: [Int]
        public var parameters: Int
        /// For one image.
        public var multiplyAdds: Double

        /// - Parameter output: its shape for one image.
        public init(name: String, operation: String, output: [Int], parameters: Int, multiplyAdds: Double) {
            self.name = name
            self.operation = operation
            self.output = output
            self.parameters = parameters
            self.multiplyAdds = multiplyAdds
        }

        enum CodingKeys: String, CodingKey {
            case name, operation, output, parameters
            case multiplyAdds = "multiply_adds"
        }
    }

    static let name = "layers.json"

    /// E.g. `resnet-20`.
    public var network: String
    public var imageShape: [Int]
    public var layers: [Layer]

    enum CodingKeys: String, CodingKey {
        case network, layers
        case imageShape = "image_shape"
    }

    public init(network: String, imageShape: [Int], layers: [Layer]) {
        self.network = network
        self.imageShape = imageShape
        self.layers = layers
    }

    public var parameters: Int { layers.reduce(0) { $0 + $1.parameters } }
    public var multiplyAdds: Double { layers.reduce(0) { $0 + $1.multiplyAdds } }

    public func write(to folder: RunFolder) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try Files.writeAtomically(try encoder.encode(self), to: folder.file(Self.name))
    }

    /// Read from a run's folder; nil if the file is missing or incomplete.
    public static func read(inFolder folder: String) -> RunLayers? {
        (try? Files.read(Files.path(folder, name))).flatMap { try? JSONDecoder().decode(RunLayers.self, from: $0) }
    }
}
