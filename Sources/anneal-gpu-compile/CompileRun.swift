import Anneal
import AnnealXLA
import Foundation

/// Compiles networks for one GPU, mode and type.
struct CompileRun {
    /// What is compiled for a network.
    enum Mode: String, Codable {
        case train
        /// A training step with `--recompute`.
        case recompute
        case score
    }

    let gpu: String
    let mode: Mode
    let precision: ElementType
    private var results: CompileResults
    private let topology: PJRTTopology

    init(plugin: String, configuration: String, results: String, gpu: String, mode: Mode, precision: ElementType) throws
    {
        self.gpu = gpu
        self.mode = mode
        self.precision = precision
        self.results = try CompileResults(results)
        topology = try PJRTTopology(
            try PJRTPlugin(path: plugin), configuration: String(decoding: try Files.read(configuration), as: UTF8.self))
    }

    /// - Returns: what is wrong with the compiled program.
    mutating func compile(_ name: String) throws -> [String] {
        let network = try CompiledNetwork(name), text = try network.program(mode, precision)
        let program = SHA256.digits(of: text.utf8)
        if let known = record(of: name, mode), known.program == program { return problems(of: known) }
        let begin = Self.processorSeconds()
        var options = AcceleratorOptions().compileOptions(platform: "cuda")
        // Triton's matrix products are tuned on the device, which is not available here.
        options.flags.append(("xla_gpu_enable_triton_gemm", false))
        let compiled = try topology.compile(text, options: options), module = try compiled.module()
        let record = CompileRecord(
            gpu: gpu, mode: mode, dtype: precision.rawValue, network: name, batch: network.batch, program: program,
            launches: module.launches, convolutions: module.convolutions,
            float32Convolutions: module.float32Convolutions, transposed: module.transposedParameters,
            grouped: mode == .score ? 0 : try network.groupedWeights,
            peakMB: try compiled.peakBytes() >> 20,
            seconds: ((Self.processorSeconds() - begin) * 10).rounded() / 10)
        try results.keep(record)
        print(
            "\(gpu) \(mode.rawValue) \(precision.rawValue) \(name): \(record.launches) launches, "
                + "\(record.convolutions) convolutions, \(record.peakMB) MB, \(record.seconds) s")
        return problems(of: record)
    }

    /// Processor time that this process and its children (assemblers) have used.
    private static func processorSeconds() -> Double {
        [RUSAGE_SELF, RUSAGE_CHILDREN].reduce(0) { sum, who in
            var usage = rusage()
            getrusage(__rusage_who_t(who.rawValue), &usage)
            return [usage.ru_utime, usage.ru_stime].reduce(sum) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
        }
    }

    private func record(of network: String, _ mode: Mode) -> CompileRecord? {
        results.record(gpu: gpu, mode: mode, dtype: precision.rawValue, network: network)
    }

    private func problems(of record: CompileRecord) -> [String] {
        var problems: [String] = []
        let hasTensorCores = gpu != "P100"
        // For others, and for float32 before H100, XLA stores all arrays with channels first.
        if hasTensorCores && (precision != .float32 || gpu == "H100"), record.transposed > record.grouped {
            problems.append("\(record.transposed - record.grouped) parameters are transposed in each step")
        }
        if hasTensorCores, precision != .float32, record.float32Convolutions > 0 {
            problems.append("\(record.float32Convolutions) convolutions are in float32")
        }
        if mode == .recompute, let plain = self.record(of: record.network, .train) {
            if record.convolutions <= plain.convolutions { problems.append("no convolution is computed again") }
            if record.peakMB >= plain.peakMB {
                problems.append("\(record.peakMB) MB with recomputation, \(plain.peakMB) MB without")
            }
        }
        return problems
    }
}
