import Anneal
import AnnealXLA
import Foundation

/// What is known of a network that was compiled for a GPU.
struct CompileRecord: Codable {
    var gpu: String
    var mode: String
    var dtype: String
    var network: String
    var batch: Int
    /// Instructions that run on the device.
    var launches: Int
    /// Calls of cuDNN's convolutions, and those of them in float32.
    var convolutions: Int
    var float32Convolutions: Int
    /// Parameters that are brought into another order.
    var transposed: Int
    var peakMB: Int
    var seconds: Double
}

/// Compiles networks for one GPU, mode and type.
struct CompileRun {
    let gpu: String
    let isTraining: Bool
    let precision: ElementType
    private let results: String
    private let topology: PJRTTopology
    private var mode: String { isTraining ? "train" : "score" }

    init(
        plugin: String, configuration: String, results: String, gpu: String, isTraining: Bool, precision: ElementType
    ) throws {
        self.gpu = gpu
        self.isTraining = isTraining
        self.precision = precision
        self.results = results
        topology = try PJRTTopology(
            try PJRTPlugin(path: plugin), configuration: String(decoding: try Files.read(configuration), as: UTF8.self))
    }

    /// - Returns: whether the program is as it should be.
    func compile(_ network: String) throws -> Bool {
        if let known = try record(of: network) { return check(known) }
        let text = try module(of: network), begin = ContinuousClock.now
        var options = AcceleratorOptions().compileOptions(platform: "cuda")
        // Which of its own products are fastest is found out on the device.
        options.flags.append(("xla_gpu_enable_triton_gemm", false))
        let program = try topology.compile(text, options: options), module = try program.module()
        let record = CompileRecord(
            gpu: gpu, mode: mode, dtype: precision.rawValue, network: network, batch: batch(network),
            launches: module.launches, convolutions: module.convolutions,
            float32Convolutions: module.float32Convolutions, transposed: module.transposedParameters,
            peakMB: try program.peakBytes() >> 20,
            seconds: Double(Int((ContinuousClock.now - begin) / .milliseconds(100))) / 10)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let line = try encoder.encode(record) + Data("\n".utf8)
        print(String(decoding: line, as: UTF8.self), terminator: "")
        let before = Files.exists(results) ? try Files.read(results) : Data()
        try Files.writeAtomically(before + line, to: results)
        return check(record)
    }

    private func record(of network: String) throws -> CompileRecord? {
        guard Files.exists(results) else { return nil }
        let lines = try Files.read(results).split(separator: UInt8(ascii: "\n"))
        return try lines.map { try JSONDecoder().decode(CompileRecord.self, from: $0) }.first {
            ($0.gpu, $0.mode, $0.dtype, $0.network) == (gpu, mode, precision.rawValue, network)
        }
    }

    private func check(_ record: CompileRecord) -> Bool {
        var problems: [String] = []
        if record.transposed > 0 { problems.append("\(record.transposed) parameters are transposed in each step") }
        if precision != .float32, gpu != "P100", record.float32Convolutions > 0 {
            problems.append("\(record.float32Convolutions) convolutions are in float32")
        }
        for problem in problems {
            FileHandle.standardError.write(
                Data("\(record.gpu), \(record.mode), \(record.dtype), \(record.network): \(problem)\n".utf8))
        }
        return problems.isEmpty
    }

    private func batch(_ network: String) -> Int {
        network.contains("@") || ["lenet", "mlp"].contains(network) ? 128 : 64
    }

    private func module(of network: String) throws -> String {
        let parts = network.split(separator: "@"), size = parts.count > 1 ? Int(parts[1]) : nil
        var name = String(parts[0]), layers: Int?
        if !Networks.names.contains(name), let dash = name.lastIndex(of: "-") {
            layers = Int(name[name.index(after: dash)...])
            name = String(name[..<dash])
        }
        var shape = Networks.usualImageShape(name)
        if let size { shape = [shape[0], size, size] }
        // The articles' ResNeXt-101 for small images has the trunk of the one for large ones.
        let trunk = name == "resnext" && layers == 101 ? [3, 224, 224] : shape
        let symbol = try Networks.symbol(
            name, NetworkOptions(numClasses: size == nil ? 1000 : 10, imageShape: trunk, numLayers: layers))
        let network = try ClassifierNetwork(symbol)
        var inputs = [network.dataName: Shape([batch(String(parts[0])) * (size == nil ? 1 : 2)] + shape)]
        let scaling = PixelScaling(
            mean: Array(repeating: 128, count: shape[0]), factor: Array(repeating: 1 / 64, count: shape[0]))
        var request: PlanRequest
        if isTraining {
            for label in try symbol.labelNames() { inputs[label] = try symbol.inferShapes(inputs).variables[label] }
            let arguments = try symbol.argumentNames()
            request = PlanRequest(
                .network(symbol, inputs: inputs, gradients: Set(arguments.filter { inputs[$0] == nil })),
                mode: .training)
            var update = TrainingUpdate(SGD(momentum: 0.9))
            update.order = try arguments + symbol.auxiliaryNames()
            request.update = update
        } else {
            request = PlanRequest(.network(network.scoring, inputs: inputs, gradients: []), mode: .inference)
        }
        request.precision = precision
        return try StepText.module(
            request, phases: isTraining ? [.forward, .backward, .check, .update] : .forward,
            pixels: [network.dataName: scaling])
    }
}
