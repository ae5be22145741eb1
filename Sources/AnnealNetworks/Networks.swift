import AnnealCore
import AnnealGraph

/// The networks of MXNet's image-classification example by their `--network` names.
public enum Networks {
    private static let builders: [(name: String, build: @Sendable (NetworkOptions) throws -> Symbol)] = [
        ("lenet", { lenet(numClasses: $0.numClasses) }),
        ("mlp", { mlp(numClasses: $0.numClasses) }),
        (
            "resnet",
            {
                try resnet(
                    numClasses: $0.numClasses, numLayers: try $0.layers(of: "resnet", resnetDepths($0.imageShape)),
                    imageShape: $0.imageShape, dtype: $0.dtype)
            }
        ),
        (
            "resnext",
            {
                try resnext(
                    numClasses: $0.numClasses, numLayers: try $0.layers(of: "resnext", resnextDepths($0.imageShape)),
                    imageShape: $0.imageShape, numGroup: $0.numGroup, dtype: $0.dtype)
            }
        ),
    ]

    /// All names, sorted.
    public static var names: [String] { builders.map(\.name) }

    /// The network of that name. Errors name the flag and what it may be.
    public static func symbol(_ name: String, _ options: NetworkOptions) throws -> Symbol {
        guard let builder = builders.first(where: { $0.name == name }) else {
            throw AnnealError("--network \(name)", "is not known", mend: "it must be one of \(names.joined(separator: ", "))")
        }
        try options.check()
        return try builder.build(options)
    }
}
