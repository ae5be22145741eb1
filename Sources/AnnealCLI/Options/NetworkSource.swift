import Anneal
import ArgumentParser

/// Where a network comes from, for commands that inspect one: a checkpoint, a symbol file, or a name.
struct NetworkSource: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A trained model: PREFIX (of PREFIX-symbol.json), a run's folder, a .params file, or another framework's .onnx, .safetensors, .pth or .pt file.",
            valueName: "MODEL"))
    var model: String?
    @Option(help: ArgumentHelp("A symbol file.", valueName: "FILE.json"), completion: .file(extensions: ["json"]))
    var symbol: String?
    @Option(
        help: ArgumentHelp("One of \(Networks.names.joined(separator: ", ")).", valueName: "NAME"),
        completion: .list(Networks.names))
    var network: String?
    @Option(help: ArgumentHelp("Depth of the network, if it has several.", valueName: "N"))
    var numLayers: Int?
    @Option(
        help: ArgumentHelp(
            "With --network, its number of classes (default: 10 for images of up to 32 pixels, as MNIST and CIFAR-10, else 1000).",
            valueName: "N"))
    var numClasses: Int?
    @Option(
        help: ArgumentHelp(
            "Shape of the images (default: the model's own record, or what the network is usually trained on).",
            valueName: "C,H,W"))
    var imageShape: String?

    /// A network and the shape of an image for it.
    struct Network {
        /// For titles, e.g. `resnet-20`.
        var name: String
        var symbol: Symbol
        var imageShape: [Int]
    }

    func load() throws -> Network {
        let given = [("--model", model), ("--symbol", symbol), ("--network", network)].filter { $0.1 != nil }
        guard given.count == 1 else {
            throw UsageError(
                given.isEmpty ? "--model, --symbol or --network" : given.map(\.0).joined(separator: " and "),
                given.isEmpty ? "is missing" : "exclude each other",
                suggestion: "name one model, symbol file or network: --network resnet --num-layers 50")
        }
        let shape = try imageShape.map(parseImageShape)
        if let model {
            let prefix = try SavedModel.prefix(model), network = try SavedModel.network(model, imageShape: shape)
            return Network(
                name: FilePath(prefix).name.description, symbol: network.symbol,
                imageShape: shape ?? network.imageShape ?? [3, 224, 224])
        }
        if let symbol {
            return Network(
                name: FilePath(symbol).name.description, symbol: try Symbol.load(symbol),
                imageShape: shape ?? [3, 224, 224])
        }
        let name = network ?? "", image = shape ?? Networks.usualImageShape(name)
        // As in MXNet's train_mnist.py, train_cifar10.py and train_imagenet.py.
        let classes = numClasses ?? (max(image[1], image[2]) <= 32 ? 10 : 1000)
        let built = try flagErrors {
            try Networks.symbol(name, NetworkOptions(numClasses: classes, imageShape: image, numLayers: numLayers))
        }
        return Network(name: numLayers.map { "\(name)-\($0)" } ?? name, symbol: built, imageShape: image)
    }
}
