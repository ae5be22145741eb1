import AnnealCore

/// How a network of the ResNet family halves its images, which no array shows (Zhang 2019).
enum Antialiasing {
    /// With strides of convolutions and of the stem's pooling.
    case strides
    /// With a 2x2 mean after a layer of stride 1: timm's `resnetaa…`.
    case average
    /// With a 3x3 filter after a layer of stride 1: timm's `resnetblur…`.
    case blur
}

/// The name of a network of the ResNet family in timm or torchvision.
struct ResNetName {
    let text: String
    /// Where the name comes from: `config.json`.
    let source: String
    static let fileSource = "the file's name"

    var antialiasing: Antialiasing {
        let name = text.lowercased()
        if name.contains("resnetblur") || name.contains("resnextblur") { return .blur }
        return name.contains("resnetaa") || name.contains("resnextaa") ? .average : .strides
    }

    /// The number of layers in the name, e.g. 50 in `seresnextaa50d_32x4d`.
    var layers: Int? {
        text.lowercased().firstMatch(of: /(?:resnet|resnext|senet)(?:aa|blur|rs)?(\d{1,4})/).flatMap { Int($0.1) }
    }

    /// nil for a name of another family.
    init?(_ text: String, source: String) {
        guard ["resnet", "resnext", "senet"].contains(where: text.lowercased().contains) else { return nil }
        (self.text, self.source) = (text, source)
    }

    /// The name that is given, else config.json's, else the one in the file's name if that indicates antialiasing;
    /// other file names may not mean the network.
    /// - Throws: an error for names of other families, and if config.json and the file's name contradict each other.
    static func found(flag: String?, config: String?, file: String?) throws -> ResNetName? {
        if let flag {
            guard let name = ResNetName(flag, source: "--architecture \(flag)") else {
                throw AnnealError(
                    "--architecture \(flag)", "is not of the ResNet family",
                    suggestion: "give timm's name of the network, such as resnetblur50", code: .unsupported)
            }
            return name
        }
        let inFile = file.flatMap { ResNetName($0, source: fileSource) }
        let told = inFile?.antialiasing == .strides ? nil : inFile
        guard let config else { return told }
        guard let name = ResNetName(config, source: TimmConfiguration.fileName) else {
            throw AnnealError(
                TimmConfiguration.fileName, "says that the network is \(config), which is not of the ResNet family",
                suggestion: "export it to ONNX; if config.json is another model's, import with --architecture NAME",
                code: .unsupported)
        }
        if let told, told.antialiasing != name.antialiasing {
            throw AnnealError(
                TimmConfiguration.fileName, "says that the network is \(config), and the file's name another",
                suggestion: "import it with --architecture NAME, or rename the file", code: .mismatch)
        }
        return name
    }
}

/// The properties of a network of the family that the shapes of its arrays show.
struct ResNetStructure {
    private let shapes: [String: [Int]]

    init(_ shapes: [String: [Int]]) { self.shapes = shapes }

    private func filters(_ name: String) -> Int? { shapes["\(name).weight"]?.first }

    private var isBottleneck: Bool { shapes["layer1.0.conv3.weight"] != nil }

    /// Counted as names do: consecutive convolutions, and the classifier.
    private var layers: Int {
        let blocks = (1...4).map { stage in
            (0...).first { shapes["layer\(stage).\($0).conv1.weight"] == nil } ?? 0
        }
        return 2 + blocks.reduce(0, +) * (isBottleneck ? 3 : 2)
    }

    /// The network's name by timm's rules, antialiasing ignored; nil if those of `sameArrays` are ruled out.
    private var name: String? {
        guard shapes["bn1.running_mean"] != nil, let width = filters("layer1.0.conv2"),
            let input = filters("layer1.0.conv1"), let depth = shapes["layer1.0.conv2.weight"]?.dropFirst().first,
            depth > 0, shapes["maxpool.0.weight"] == nil
        else { return nil }
        let groups = input / depth, isSqueezed = shapes["layer1.0.se.fc1.weight"] != nil
        guard isSqueezed || shapes["layer1.0.se.conv.weight"] == nil, groups > 1 || width == 64 else { return nil }
        let stem = [0, 3, 6].compactMap { filters("conv1.\($0)") }
        let isPooled = shapes["layer2.0.downsample.1.weight"]?.count == 4
        let letter: String
        switch (stem, isPooled) {
        case ([], false): letter = ""
        case ([32, 32, 64], true): letter = "d"
        case ([64, 64, 128], true): letter = "e"
        default: return nil
        }
        let family = (isSqueezed ? "se" : "") + (groups > 1 ? "resnext" : "resnet")
        return "\(family)\(layers)\(letter)" + (groups > 1 ? "_\(groups)x\(width / groups)d" : "")
    }

    /// timm's networks with the same arrays as other networks, or that exist only with antialiasing; the first is
    /// assumed.
    private static let sameArrays: [String: [String]] = [
        "resnet18": ["resnet18", "resnetblur18"], "resnet34d": ["resnet34d", "resnetaa34d"],
        "resnet50": ["resnet50", "resnetblur50", "resnetaa50"],
        "resnet50d": ["resnet50d", "resnetblur50d", "resnetaa50d"],
        "resnet101d": ["resnet101d", "resnetblur101d", "resnetaa101d"],
        "seresnet50d": ["seresnetaa50d", "seresnet50d"],
        "seresnext101d_32x8d": ["seresnext101d_32x8d", "seresnextaa101d_32x8d"],
        "seresnext203e_32x8d": ["seresnextaa201d_32x8d", "seresnext201d_32x8d"],
    ]

    /// What the network's name says, and a note for the user if there is no name.
    /// - Throws: an error if the name belongs to a network of another depth.
    func antialiasing(_ given: ResNetName?) throws -> (Antialiasing, String?) {
        if let given {
            // Some names count loosely: 201 for 203, 154 for 152.
            if let named = given.layers, abs(named - layers) > 2 {
                throw AnnealError(
                    given.source, "the network would be \(given.text), and the weights have \(layers) layers",
                    suggestion: "give the name of these weights' network: --architecture NAME", code: .mismatch)
            }
            guard given.source == ResNetName.fileSource else { return (given.antialiasing, nil) }
            return (
                given.antialiasing,
                "Taken as antialiased, as the file's name says; for strides in convolutions, import it with --architecture resnet\(layers)"
            )
        }
        guard let networks = name.flatMap({ Self.sameArrays[$0] }),
            let assumed = ResNetName(networks[0], source: "")
        else { return (.strides, nil) }
        let others = networks.dropFirst()
        let advice =
            others.count == 1
            ? "has the same arrays; if it is that, import it with --architecture \(others[1])"
            : "have the same arrays; if it is one of these, import it with --architecture NAME"
        return (assumed.antialiasing, "Taken as \(assumed.text): \(others.joined(separator: " and ")) \(advice)")
    }
}
