import Anneal

/// The pre-trained networks of MXNet's model zoo, which is hardly reachable any more, and where to find equivalents
/// today.
enum PretrainedNetworks {
    /// The names of the same networks in timm and torchvision, by the zoo's names.
    private static let same = [
        "resnext-50": "timm's resnext50_32x4d", "resnext-101": "timm's resnext101_32x4d",
        "resnext-101-64x4d": "timm's resnext101_64x4d",
    ]
    /// Networks of the same depth that compute something else.
    private static let similar = [
        "resnet-18": "torchvision's resnet18", "resnet-34": "torchvision's resnet34",
        "resnet-50": "torchvision's resnet50",
        "resnet-101": "torchvision's resnet101", "resnet-152": "torchvision's resnet152",
    ]

    /// How to get a model of one of the zoo's names; nil for other names.
    static func hint(_ model: String) -> String? {
        let name = Files.name(of: model).lowercased()
        guard let other = same[name] ?? similar[name] else { return nil }
        let network = other.split(separator: " ").last ?? ""
        let relation = same[name] != nil ? "is the same network" : "is the nearest of today's"
        return "\(other) \(relation): with its weights in \(network).safetensors or .pth, "
            + "anneal import \(network).safetensors --to \(shellQuoted(model))"
    }
}
