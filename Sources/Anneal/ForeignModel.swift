import AnnealCore
import AnnealGraph
import AnnealImport
import AnnealTrain
import Foundation

/// A trained network in another framework's file, as an MXNet graph with its parameters: ONNX models, and PyTorch's
/// weights in safetensors or `torch.save` files.
///
/// ```swift
/// let model = try ForeignModel("resnet18.onnx")
/// try model.write(prefix: "resnet18", preprocessing: model.preprocessing)
/// let classifier = try Classifier(SavedModel("resnet18"))
/// ```
public struct ForeignModel: Sendable {
    public let path: String
    /// Its input is `data`, in the order (batch, channels, height, width).
    public var symbol: Symbol { model.symbol }
    /// Channels, height, width.
    public let imageShape: [Int]
    /// What the file says of preparing images; nil if it does not say by which numbers.
    public let preprocessing: Preprocessing?
    /// By label, if the file has them.
    public let classNames: [String]?
    /// What a user should know, a sentence each.
    public var notes: [String] { model.notes }
    private var model: ImportedModel

    /// Whether a file of this name would be read as a model of another framework.
    public static func isModelFile(_ path: String) -> Bool { Format(path) != nil }

    /// A file's name without the ending of its format.
    static func stem(_ path: String) -> String {
        let ending = Format.allCases.flatMap(\.endings).filter { path.lowercased().hasSuffix($0) }.max {
            $0.count < $1.count
        }
        return String(path.dropLast(ending?.count ?? 0))
    }

    private enum Format: CaseIterable {
        case onnx, safetensors, torch

        init?(_ path: String) {
            guard let format = Self.allCases.first(where: { $0.endings.contains { path.lowercased().hasSuffix($0) } })
            else { return nil }
            self = format
        }

        var endings: [String] {
            switch self {
            case .onnx: [".onnx"]
            case .safetensors: [".safetensors"]
            case .torch: [".pth", ".pt", ".pth.tar", ".bin"]
            }
        }
    }

    /// - Parameters:
    ///   - path: an `.onnx`, `.safetensors`, `.pth` or `.pt` file. timm's `config.json` next to weights is read too.
    ///   - imageShape: (channels, height, width) where the file does not say, or to use the network for other images.
    ///   - architecture: what timm calls the network, such as `resnetblur50`, where weights alone do not tell it from
    ///     others and neither the file's name nor `config.json` does.
    /// - Throws: `AnnealError` that names the file, and of a network that cannot be imported each layer and why.
    public init(_ path: String, imageShape: [Int]? = nil, architecture: String? = nil) throws {
        guard let format = Format(path) else {
            throw AnnealError(
                path, "is not a kind of model file that is known by its name",
                suggestion: "give an .onnx, .safetensors, .pth or .pt file", code: .unsupported)
        }
        do {
            let options = ImportOptions(imageShape: imageShape, architecture: architecture)
            switch format {
            case .onnx:
                guard architecture == nil else {
                    throw AnnealError(
                        "", "is an ONNX model, which says itself what its network is",
                        suggestion: "leave --architecture out")
                }
                model = try ONNXImporter(Files.read(path), path: path, options: options).model()
            case .safetensors:
                model = try WeightsNetwork.model(
                    WeightsFile(safetensors: Files.read(path)), path: path, options: options)
            case .torch:
                model = try WeightsNetwork.model(WeightsFile(torch: Files.read(path)), path: path, options: options)
            }
        } catch let error as AnnealError {
            throw error.place == path ? error : error.within(path)
        }
        self.path = path
        self.imageShape = model.imageShape ?? imageShape ?? []
        classNames = model.images.classNames
        preprocessing = Self.record(model.images, self.imageShape)
    }

    private static func record(_ images: ImportedModel.ImageRecord, _ shape: [Int]) -> Preprocessing? {
        guard let channels = shape.first, let mean = images.mean, mean.count == channels else { return nil }
        let std = images.std ?? mean.map { _ in 1 }
        guard std.count == channels, std.allSatisfy({ $0 > 0 }) else { return nil }
        return Preprocessing(
            imageShape: shape, mean: mean, std: std, resize: images.resize, classNames: images.classNames)
    }

    /// Numbers in all parameters and states.
    public var parameterCount: Int {
        (model.arguments.values.map(\.count) + model.auxiliary.values.map(\.count)).reduce(0, +)
    }

    /// Whether batch norm is there, a sentence.
    public var normNote: String? {
        let norms = symbol.nodes.count { $0.operation == BatchNorm.name }
        if norms > 0 { return "It has \(norms.counted("batch norm"))" }
        let folded = symbol.foldedConvolutions
        guard folded > 0 else { return nil }
        return
            "No batch norm: exporters fold it into convolutions, of which \(folded) have a bias here, or the network never had it"
    }

    /// The network with its parameters in memory.
    public func checkpoint() -> Checkpoint {
        Checkpoint(
            symbol: symbol, arguments: model.arguments.mapValues(\.tensor),
            auxiliary: model.auxiliary.mapValues(\.tensor))
    }

    /// Takes another network and its parameters in the place of the file's.
    mutating func replace(with checkpoint: Checkpoint) {
        func arrays(_ tensors: [String: Tensor]) -> [String: ModelArray] {
            tensors.mapValues { ModelArray($0.shape.dims, $0.elements) }
        }
        model.symbol = checkpoint.symbol
        (model.arguments, model.auxiliary) = (arrays(checkpoint.arguments), arrays(checkpoint.auxiliary))
    }

    /// Writes checkpoint 0 of a prefix in MXNet's form, array by array, and the record of preprocessing if there is one;
    /// all of it or nothing.
    public func write(prefix: String, preprocessing: Preprocessing?) throws {
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        let arguments = try symbol.argumentNames().filter { model.arguments[$0] != nil }
        let states = try symbol.auxiliaryNames().filter { model.auxiliary[$0] != nil }
        let names = arguments.map { "arg:" + $0 } + states.map { "aux:" + $0 }
        let arrays = arguments.compactMap { model.arguments[$0] } + states.compactMap { model.auxiliary[$0] }
        var files = AtomicFiles()
        try files.write(Data(try symbol.json().utf8), to: Checkpoint.symbolPath(prefix))
        if let preprocessing { try files.write(try preprocessing.encoded(), to: Preprocessing.path(prefix)) }
        try files.write(to: Checkpoint.parametersPath(prefix, 0)) { write in
            try ParamsFile.encode(names, array: { arrays[$0].stored(names[$0]) }, write)
        }
        try files.finish()
    }
}
