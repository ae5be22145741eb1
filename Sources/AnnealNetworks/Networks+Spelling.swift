import AnnealCore

extension Networks {
    /// The flags for a network's name in another library, or for a misspelt one: `resnet50` is `--network resnet
    /// --num-layers 50`. Empty if nothing is close.
    static func meant(by name: String) -> [String] {
        let bare = bare(name)
        if let same = names.first(where: { Self.bare($0) == bare }) { return ["--network \(same)"] }
        if let network = namedDifferently[bare] { return ["--network \(network)"] }
        // The longest matching prefix: resnetv150 is resnet-v1.
        let beginnings = names.filter { bare.hasPrefix(Self.bare($0)) }
        guard let network = beginnings.max(by: { Self.bare($0).count < Self.bare($1).count }) else {
            return Spelling.misspelt(name, among: names).map { "--network \($0)" }
        }
        var rest = name.lowercased()[...], left = Self.bare(network).count
        while left > 0, let letter = rest.popFirst() { left -= isPlain(letter) ? 1 : 0 }
        rest = rest.drop { !isPlain($0) }
        if network == "resnet", rest.hasPrefix("v2") { rest = rest.dropFirst(2).drop { !isPlain($0) } }
        let depth = rest.prefix { $0.isNumber }
        guard withDepths.contains(network), !depth.isEmpty else { return ["--network \(network)"] }
        // torchvision's resnet50 is MXNet's resnet-v1; what follows the depth says which one is meant.
        let isFirst = network == "resnet" && Self.bare(String(rest.dropFirst(depth.count))) == "v1"
        return ["--network \(isFirst ? "resnet-v1" : network) --num-layers \(depth)"]
    }

    private static let withDepths: Set = ["densenet", "resnet", "resnet-v1", "resnetv1", "resnext", "vgg"]
    private static let namedDifferently = [
        "inception": "inception-v3", "inceptionv1": "googlenet", "inceptionv2": "inception-bn", "cnn": "lenet",
    ]

    private static func bare(_ name: String) -> String {
        name.lowercased().filter(isPlain)
    }

    private static func isPlain(_ letter: Character) -> Bool { letter.isASCII && (letter.isLetter || letter.isNumber) }
}
