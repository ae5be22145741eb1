import Anneal
import AnnealConformance
import Foundation

/// A network with random parameters: its outputs as Anneal computes them.
struct NetworkCase {
    let name: String
    private let network: String
    private let options: NetworkOptions

    private init(
        _ network: String, _ side: Int, layers: Int? = nil, _ change: (inout NetworkOptions) -> Void = { _ in }
    ) {
        let channels = network == "lenet" || network == "mlp" ? 1 : 3
        var options = NetworkOptions(numClasses: 10, imageShape: [channels, side, side], numLayers: layers)
        var name = network + (layers.map { "-\($0)" } ?? "") + "-\(side)"
        change(&options)
        if options.batchNorm { name += "-bn" }
        if options.addSTN { name += "-stn" }
        if options.dtype == .float16 { name += "-float16" }
        if options.multiplier != 1 { name += "-x\(options.multiplier)" }
        self.name = name
        self.network = network
        self.options = options
    }

    static let all = [
        NetworkCase("mlp", 28), NetworkCase("lenet", 28), NetworkCase("lenet", 28) { $0.addSTN = true },
        NetworkCase("airbench", 32), NetworkCase("alexnet", 224), NetworkCase("alexnet", 224) { $0.dtype = .float16 },
        NetworkCase("googlenet", 224), NetworkCase("inception-bn", 28), NetworkCase("inception-bn", 224),
        NetworkCase("inception-v3", 299), NetworkCase("inception-v4", 299), NetworkCase("inception-resnet-v2", 299),
        NetworkCase("mobilenet", 224), NetworkCase("mobilenet", 64) { $0.multiplier = 0.5 },
        NetworkCase("mobilenetv2", 224), NetworkCase("mobilenetv2", 96) { $0.multiplier = 0.5 },
        NetworkCase("vgg", 32, layers: 11), NetworkCase("vgg", 64, layers: 16) { $0.batchNorm = true },
        NetworkCase("vgg", 224, layers: 19),
        NetworkCase("resnet", 28, layers: 20), NetworkCase("resnet", 28, layers: 110),
        NetworkCase("resnet", 28, layers: 164), NetworkCase("resnet", 224, layers: 18),
        NetworkCase("resnet", 224, layers: 50), NetworkCase("resnet", 224, layers: 152),
        NetworkCase("resnet", 64, layers: 50) { $0.dtype = .float16 },
        NetworkCase("resnet-v1", 28, layers: 20), NetworkCase("resnet-v1", 224, layers: 50),
        NetworkCase("resnetv1", 224, layers: 18),
        NetworkCase("resnext", 28, layers: 20), NetworkCase("resnext", 28, layers: 110),
        NetworkCase("resnext", 224, layers: 50), NetworkCase("resnext", 224, layers: 101),
        NetworkCase("densenet", 224, layers: 121), NetworkCase("densenet", 224, layers: 169),
        NetworkCase("squeezenet", 224), NetworkCase("squeezenet1.0", 224),
    ]

    /// One model from normalised numbers to logits, and one from 8-bit pixels to probabilities.
    func make(in folder: inout CaseFolder) throws {
        let symbol = try Networks.symbol(network, options), shape = Shape([2] + options.imageShape)
        let mean: [Float] = shape[1] == 3 ? [123.68, 116.779, 103.939] : [33.3]
        let std: [Float] = shape[1] == 3 ? [58.4, 57.12, 57.38] : [78.6]
        var random = Random(seed: 1, purpose: .test)
        let pixels = (0..<shape.count).map { _ in UInt8(random.below(256)) }
        let plane = shape[2] * shape[3]
        let data = Tensor(
            shape,
            pixels.enumerated().map { place, pixel in
                let channel = place / plane % shape[1]
                return (Float(pixel) - mean[channel]) / std[channel]
            })

        // Both outputs of one executor: the logits and their softmax.
        let executor = try Executor(
            .group([symbol.endingInLogits(), symbol]), inputs: ["data": shape], mode: .inference)
        let formula = Procedural(salt: name, gammaRange: [0.5, 1.5], classes: 10)
        var parameters: [String: Tensor] = [:]
        for name in executor.parameters.names {
            parameters[name] = executor.parameters.shape(name).map { formula.tensor(name, $0) }
        }
        func compute() throws {
            for (name, value) in parameters { try executor.parameters.set(name, value) }
            try executor.setInput("data", data)
            try executor.forward()
        }
        try compute()
        // Logits of magnitude 1 or more, so that the probabilities differ.
        let largest = try executor.output(0).elements.map(abs).max() ?? 1
        if let head = symbol.nodes.last(where: { $0.operation == FullyConnected.name }) {
            for entry in head.inputs.dropFirst() {
                parameters[entry.node.name]?.elements.scale(by: 3 / largest)
            }
            try compute()
        }

        var options = ONNXModel.Options()
        let logits = try ONNXModel(symbol, parameters: parameters, inputs: ["data": shape], options: options)
        try folder.add(
            logits, name: "logits", inputs: ["data": folder.write(data)], outputs: [folder.write(executor.output(0))],
            anyBatchSize: true)
        options.ending = .probabilities
        options.preprocessing = ONNXModel.Preprocessing(mean: mean, std: std)
        let whole = try ONNXModel(symbol, parameters: parameters, inputs: ["data": shape], options: options)
        try folder.add(
            whole, name: "probabilities", inputs: ["data": folder.write(Data(pixels), "uint8", shape)],
            outputs: [folder.write(executor.output(1))], anyBatchSize: true)
    }
}

extension [Float] {
    fileprivate mutating func scale(by factor: Float) { self = map { $0 * factor } }
}

/// An operator's case made by MXNet: its outputs in inference are MXNet's own.
struct MXNetCase {
    let folder: String

    static func names(below root: String) throws -> [String] {
        let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return try paths.filter { $0.hasSuffix("/case.json") }.map { root + "/" + Files.folder(of: $0) }.sorted()
            .filter { try json($0)["infer_outputs"] as? [String] ?? [] != [] && Files.exists($0 + "/net-0000.params") }
    }

    private static func json(_ folder: String) throws -> [String: Any] {
        let path = folder + "/case.json"
        guard let json = try? JSONSerialization.jsonObject(with: Files.read(path)) as? [String: Any] else {
            throw AnnealError(path, "is not a JSON object")
        }
        return json
    }

    func make(in target: inout CaseFolder) throws {
        let json = try MXNetCase.json(folder)
        func arrays(_ name: String) throws -> [(name: String, tensor: Tensor)] {
            try ParamsFile.read("\(folder)/\(name)").map { ($0.name, $0.tensor()) }
        }
        let io = Dictionary(try arrays("io.params").map { ($0.name, $0.tensor) }) { first, _ in first }
        let inputs = (json["inputs"] as? [String: [Int]] ?? [:]).mapValues { Shape($0) }
        let parameters = Dictionary(
            try arrays("net-0000.params").map { (String($0.name.dropFirst(4)), $0.tensor) }
        ) { first, _ in first }
        var options = ONNXModel.Options()
        options.ending = .asIs
        options.anyBatchSize = false
        let model: ONNXModel
        do {
            let symbol = try Symbol.load(folder + "/net-symbol.json")
            model = try ONNXModel(symbol, parameters: parameters, inputs: inputs, options: options)
        } catch let error as AnnealError {
            return target.refuse("\(error)")
        }
        let fed = try inputs.keys.compactMap { name in try io[name].map { (name, try target.write($0)) } }
        let expected = try (json["infer_outputs"] as? [String] ?? []).compactMap {
            try io[$0].map { try target.write($0) }
        }
        try target.add(
            model, name: "model", inputs: Dictionary(fed) { first, _ in first }, outputs: expected, anyBatchSize: false)
    }
}

func makeCase(_ name: String, in path: String) throws {
    var folder = CaseFolder(path)
    if let network = NetworkCase.all.first(where: { $0.name == name }) {
        try network.make(in: &folder)
    } else {
        try MXNetCase(folder: name).make(in: &folder)
    }
    try folder.finish()
}
