import Anneal
import ArgumentParser
import Foundation

/// MXNet's `print_summary`, with costs and memory.
struct Summary: ParsableCommand {
    enum Format: String, CaseIterable, ExpressibleByArgument { case table, json }

    static let configuration = CommandConfiguration(
        abstract: "List a network's layers, parameters, operations and memory.",
        discussion: """
            Shapes and operations are those of one image. Multiply-adds are what papers give as a network's FLOPs: those of \
            convolutions and matrix products. FLOP counts two for each of them, and one for each number that another \
            operator computes. Memory is that of the compiled plans for --batch-size.

            anneal summary --network resnext --num-layers 101
            anneal summary --model runs/a/model --plan
            """)

    @OptionGroup var source: NetworkSource
    @Option(
        help: ArgumentHelp(
            "Also check that this checkpoint of --model (a number, best or last) holds the network's parameters.",
            valueName: "N"))
    var loadEpoch: CheckpointChoice?
    @Option(help: ArgumentHelp("Batch size, for memory and plan.", valueName: "N"))
    var batchSize: Int = 128
    @Option(help: ArgumentHelp("table, or json: one line of JSON for each layer, then one of totals."))
    var format: Format = .table
    @Flag(help: "Print the compiled plan of a training step instead.")
    var plan = false
    @OptionGroup var step: StepOptions

    func run() throws {
        guard batchSize > 0 else {
            throw UsageError("--batch-size", "is \(batchSize)", suggestion: "it must be at least 1")
        }
        try step.check()
        guard loadEpoch == nil || source.model != nil else {
            throw UsageError("--load-epoch", "belongs to a model, but none is given", suggestion: "give --model")
        }
        let network = try source.load()
        let data = try network.symbol.dataName(), inputs = [data: Shape([batchSize] + network.imageShape)]
        if plan {
            let plan = try PlanText(network.symbol, inputs: inputs, step)
            print(plan.text(batchSize: batchSize))
            return
        }
        let summary = try NetworkSummary(network.symbol, inputs: [data: Shape([1] + network.imageShape)])
        if let loadEpoch, let model = source.model { try check(network, try SavedModel(model, loadEpoch)) }
        let memory = Memory(
            training: try planned(network.symbol, inputs, .training),
            inference: try planned(network.symbol, inputs, .inference),
            parameters: 4 * (summary.parameters + summary.states))
        switch format {
        case .table: print(tableText(network, summary, memory))
        case .json: print(try jsonText(network, summary, memory))
        }
    }

    private func check(_ network: NetworkSource.Network, _ saved: SavedModel) throws {
        let executor = try Executor(
            network.symbol, inputs: [network.symbol.dataName(): Shape([1] + network.imageShape)], mode: .inference)
        try saved.content(imageShape: network.imageShape).checkpoint
            .restore(executor.parameters, place: saved.parametersPath)
    }

    /// Bytes.
    private struct Memory {
        /// nil: more than is available here.
        var training: Int?
        var inference: Int?
        var parameters: Int
    }

    private func planned(_ symbol: Symbol, _ inputs: [String: Shape], _ mode: Executor.Mode) throws -> Int? {
        do {
            return try Executor(
                symbol, inputs: inputs, mode: mode, update: mode == .training ? step.update : nil,
                engine: defaultEngine()
            ).plannedBytes
        } catch let error as AnnealError where error.code == .outOfMemory {
            return nil
        }
    }

    // MARK: The table

    private func tableText(_ network: NetworkSource.Network, _ summary: NetworkSummary, _ memory: Memory) -> String {
        func short(_ number: Double) -> String { number == 0 ? "" : Readable.scaled(number) }
        var table = TextTable(
            ["Layer", "Operator", "Output", "Parameters", "Multiply-adds", "FLOP"], right: [3, 4, 5])
        for layer in summary.layers {
            table.add([
                layer.name, layer.detail.isEmpty ? layer.operation : "\(layer.operation) \(layer.detail)",
                Self.extents(layer.outputShape), layer.parameters == 0 ? "" : Readable.count(layer.parameters),
                short(layer.multiplyAdds), short(layer.flops),
            ])
        }
        func size(_ bytes: Int) -> String {
            bytes >= 10 << 20 ? "\(Readable.count(bytes >> 20)) MB" : "\(Readable.count((bytes + 1023) >> 10)) kB"
        }
        func plan(_ bytes: Int?) -> String {
            bytes.map { "\(size($0)) planned" } ?? "more memory than this machine has"
        }
        let states = summary.states == 0 ? "" : ", and \(Readable.count(summary.states)) numbers of auxiliary states"
        return """
            \(table.text)

            \(network.name), images of \(network.imageShape.map(String.init).joined(separator: ",")):
            Parameters:     \(Readable.count(summary.parameters))\(states)
            Multiply-adds:  \(Readable.scaled(summary.multiplyAdds)) for each image (convolutions and matrix products)
            FLOP:           \(Readable.scaled(summary.flops)) for each image (two for a multiply-add)
            Training:       \(plan(memory.training)) for batch \(batchSize), parameters \(size(memory.parameters)), \
            and as much for each state of the optimizer
            Inference:      \(plan(memory.inference)) for batch \(batchSize), parameters \(size(memory.parameters))
            """
    }

    /// `64x28x28`, without the batch.
    private static func extents(_ shape: Shape) -> String {
        shape.dims.dropFirst().map(String.init).joined(separator: "x")
    }

    // MARK: JSON lines

    private func jsonText(_ network: NetworkSource.Network, _ summary: NetworkSummary, _ memory: Memory) throws
        -> String
    {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        func integers(_ values: some Sequence<Int>) -> JSONValue { .array(values.map { .integer($0) }) }
        var lines: [JSONValue] = summary.layers.map { layer in
            .object([
                "layer": .string(layer.name), "operator": .string(layer.operation), "detail": .string(layer.detail),
                "output_shape": integers(layer.outputShape.dims.dropFirst()),
                "parameters": .integer(layer.parameters), "auxiliary": .integer(layer.states),
                "multiply_adds": .number(layer.multiplyAdds), "flop": .number(layer.flops),
            ])
        }
        lines.append(
            .object([
                "network": .string(network.name), "image_shape": integers(network.imageShape),
                "layers": .integer(summary.layers.count), "parameters": .integer(summary.parameters),
                "auxiliary": .integer(summary.states), "multiply_adds": .number(summary.multiplyAdds),
                "flop": .number(summary.flops), "batch_size": .integer(batchSize),
                "training_plan_bytes": memory.training.map { .integer($0) } ?? .null,
                "inference_plan_bytes": memory.inference.map { .integer($0) } ?? .null,
                "parameter_bytes": .integer(memory.parameters),
            ]))
        return try lines.map { String(decoding: try encoder.encode($0), as: UTF8.self) }.joined(separator: "\n")
    }
}
