import AnnealCore
import AnnealGraph

/// The networks of MXNet's image-classification example by their `--network` names, and `airbench`.
public enum Networks {
    private typealias Builder = @Sendable (NetworkOptions) throws -> Symbol

    private static let builders: [(name: String, build: Builder)] = [
        ("airbench", { try airbench(numClasses: $0.numClasses) }),
        ("alexnet", { try alexnet(numClasses: $0.numClasses, dtype: $0.dtype) }),
        (
            "densenet",
            { try densenet(numClasses: $0.numClasses, numLayers: try $0.layers(of: "densenet", densenetDepths)) }
        ),
        ("googlenet", { try googlenet(numClasses: $0.numClasses) }),
        ("inception-bn", { try inceptionBN(numClasses: $0.numClasses, imageShape: $0.imageShape) }),
        ("inception-resnet-v2", { try inceptionResNetV2(numClasses: $0.numClasses) }),
        ("inception-v3", { try inceptionV3(numClasses: $0.numClasses, dtype: $0.dtype) }),
        ("inception-v4", { try inceptionV4(numClasses: $0.numClasses, dtype: $0.dtype) }),
        ("lenet", { try lenet(numClasses: $0.numClasses, addSTN: $0.addSTN) }),
        ("mlp", { try mlp(numClasses: $0.numClasses) }),
        (
            "mobilenet",
            {
                try mobilenet(
                    numClasses: $0.numClasses, multiplier: $0.multiplier,
                    resolution: $0.resolution ?? mobilenetResolution($0.imageShape))
            }
        ),
        ("mobilenetv2", { try mobilenetV2(numClasses: $0.numClasses, multiplier: $0.multiplier) }),
        (
            "resnet",
            {
                try resnet(
                    numClasses: $0.numClasses, numLayers: try $0.layers(of: "resnet", resnetDepths($0.imageShape)),
                    imageShape: $0.imageShape, dtype: $0.dtype,
                    convWorkspace: $0.convWorkspace)
            }
        ),
        ("resnet-v1", resnetV1(_:)),
        ("resnetv1", resnetV1(_:)),
        (
            "resnext",
            {
                try resnext(
                    numClasses: $0.numClasses, numLayers: try $0.layers(of: "resnext", resnextDepths($0.imageShape)),
                    imageShape: $0.imageShape, numGroup: $0.numGroup, dtype: $0.dtype,
                    convWorkspace: $0.convWorkspace)
            }
        ),
        ("squeezenet", { try squeezenet(numClasses: $0.numClasses) }),
        ("squeezenet1.0", { try squeezenet(numClasses: $0.numClasses, version: .v1_0) }),
        (
            "vgg",
            {
                try vgg(
                    numClasses: $0.numClasses, numLayers: $0.numLayers ?? 11, batchNorm: $0.batchNorm,
                    dtype: $0.dtype)
            }
        ),
    ]

    /// MXNet's example has this network under two names.
    @Sendable private static func resnetV1(_ options: NetworkOptions) throws -> Symbol {
        try AnnealNetworks.resnetV1(
            numClasses: options.numClasses,
            numLayers: try options.layers(of: "resnet-v1", resnetDepths(options.imageShape)),
            imageShape: options.imageShape, dtype: options.dtype, convWorkspace: options.convWorkspace)
    }

    /// All names, sorted.
    public static var names: [String] { builders.map(\.name) }

    /// The image shape that a network is usually trained on, channels first; ImageNet's for an unknown name.
    public static func usualImageShape(_ name: String) -> [Int] {
        switch name {
        case "airbench": [3, 32, 32]
        case "lenet", "mlp": [1, 28, 28]
        case "inception-resnet-v2", "inception-v3", "inception-v4": [3, 299, 299]
        default: [3, 224, 224]
        }
    }

    /// Builds the network of that name. Errors name the flag and the possible values.
    public static func symbol(_ name: String, _ options: NetworkOptions) throws -> Symbol {
        guard let builder = builders.first(where: { $0.name == name }) else {
            throw AnnealError(
                "--network \(name)", "is not known",
                suggestion: Spelling.question(meant(by: name)) + "it must be one of \(names.joined(separator: ", "))",
                code: .notFound)
        }
        try options.check()
        return try builder.build(options)
    }
}
