import Anneal

/// A named set of flags for train and fine-tune; flags of the command line and of a configuration file override it.
struct Recipe {
    let name: String
    let summary: String
    /// Flags by their full names; `--network` and the like do not apply to fine-tune and are omitted there.
    let flags: KeyValuePairs<String, String>

    static let all = [mxnet2017, mxnet2017AdaDelta, cifar10Modern, cifar10Fast]

    /// - Parameter place: how errors refer to it; nil: as the flag.
    static func named(_ name: String, place: String? = nil) throws -> Recipe {
        guard let recipe = all.first(where: { $0.name == name }) else {
            let known = Spelling.suggestion(for: name, among: all.map(\.name))
            throw AnnealError(
                place ?? "--recipe \(name)", "is not known",
                suggestion: place == nil ? known + "; 'anneal recipes' shows what they set" : known)
        }
        return recipe
    }

    /// The flags as typed.
    var typed: [String] { flags.map { $0.value == "true" ? "--\($0.key)" : "--\($0.key) \($0.value)" } }

    /// The flags that it sets, and those that other flags override, for the log.
    func remark(_ inForce: [String: JSONValue]) -> String {
        func differs(_ flag: String, _ value: String) -> Bool {
            switch inForce[flag] {
            case .string(let text)?: text != value
            case .integer(let number)?: Double(number) != Double(value)
            case .unsigned(let number)?: number != UInt64(value)
            case .number(let number)?: number != Double(value)
            case .array(let list)?: list != [.string(value)]
            case .boolean(let flag)?: "\(flag)" != value
            case .null?, .object?, nil: true
            }
        }
        let overridden = flags.filter { differs($0.key, $0.value) }.map { "--\($0.key)" }
        return "Recipe \(name): " + typed.joined(separator: " ")
            + (overridden.isEmpty ? "" : "; overridden: \(overridden.joined(separator: " "))")
    }

    private static let mxnet2017 = Recipe(
        name: "mxnet-2017",
        summary: "SGD as MXNet's scripts have it, the rate falling by a tenth every 25 of 300 epochs.",
        flags: [
            "network": "resnext", "num-layers": "110", "image-shape": "3,28,28", "batch-size": "128",
            "num-epochs": "300", "optimizer": "sgd", "lr": "0.05", "lr-factor": "0.9",
            "lr-step-epochs": "25,50,75,100,125,150,175,200,225,250,275,300",
        ])

    private static let mxnet2017AdaDelta = Recipe(
        name: "mxnet-2017-adadelta", summary: "AdaDelta as MXNet has it: no learning rate, 300 epochs.",
        flags: [
            "network": "resnext", "num-layers": "110", "image-shape": "3,28,28", "batch-size": "128",
            "num-epochs": "300", "optimizer": "adadelta",
        ])

    private static let cifar10Modern = Recipe(
        name: "cifar10-modern",
        summary:
            "ResNet-20, Nesterov's momentum, a cosine after a short warm-up, crops and mirrors, averaged weights, six views.",
        flags: [
            "network": "resnet", "num-layers": "20", "image-shape": "3,32,32", "rgb-mean": "125.3,123.0,113.9",
            "rgb-std": "63.0,62.1,66.7", "pad-size": "4", "random-crop": "1", "random-mirror": "1",
            "batch-size": "128", "num-epochs": "50", "optimizer": "nag", "mom": "0.9", "wd": "0.0005", "lr": "0.1",
            "lr-schedule": "cosine", "warmup-epochs": "5%", "ema-decay": "0.995", "tta": "mirror-shift",
        ])

    /// Jordan 2024, arXiv:2404.00498; its rates are for sums over a batch of 1024, ours for means.
    private static let cifar10Fast = Recipe(
        name: "cifar10-fast",
        summary:
            "The airbench network and its tricks: whitening, lookahead, alternating mirrors, six views at the end.",
        flags: [
            "network": "airbench", "image-shape": "3,32,32", "rgb-mean": "125.3,123.0,113.9",
            "rgb-std": "63.0,62.1,66.7", "whiten": "whiten", "pad-size": "2", "pad-mode": "reflect", "random-crop": "1",
            "mirror-mode": "alternate", "random-mirror": "1", "label-smoothing": "0.2", "batch-size": "1024",
            "num-epochs": "10", "optimizer": "sgd", "nesterov": "true", "mom": "0.85", "wd": "0.00133", "lr": "1.5",
            "lr-mult": "group.*_beta=64", "wd-mult": "group.*_beta=0.015625", "lr-schedule": "linear",
            "warmup-epochs": "23%", "lr-begin": "0.3", "lr-end": "0.105", "lookahead": "5", "lookahead-alpha": "cubic",
            "tta": "mirror-shift",
        ])
}
