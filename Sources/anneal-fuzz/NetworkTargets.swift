import Anneal
import Foundation

/// Files that contain networks: parameters and graphs.
let networkTargets = [
    FuzzTarget(name: "params") { work in
        let network = try Networks.smallest()
        let trainer = try Trainer(
            network, dataShape: [1, 2, 2], batchSize: 2, optimizer: try Optimizers.make("sgd"), seed: 1)
        try trainer.initialize(Xavier())
        try trainer.save(prefix: work.path("net"), epoch: 1)
        let seeds = try [try work.bytes("net-0001.params")] + work.fixtures(ending: ".params")
        return FuzzReader(seeds: seeds) { bytes in
            let arrays = try ParamsFile.read(try work.write(bytes, "input.params"))
            let checkpoint = try Checkpoint(symbol: network, arrays: arrays)
            try allowingErrors { try checkpoint.restore(trainer.parameters, place: "input.params") }
        }
    },
    FuzzTarget(name: "symbol", isText: true, words: OperatorRegistry.names + ["None", "True", "max", "null"]) { work in
        let seeds = try [Array(Networks.smallest().json().utf8)] + work.fixtures(ending: "-symbol.json")
        return FuzzReader(seeds: seeds) { bytes in
            let symbol = try Symbol.load(try work.write(bytes, "input-symbol.json"))
            _ = try symbol.json()
            for inputs in try inputShapes(symbol) { try allowingErrors { try use(symbol, inputs) } }
        }
    },
]

extension Networks {
    /// All kinds of layers of classifiers, on images of 2 x 2 pixels and more.
    static func smallest() throws -> Symbol {
        let net = SymbolBuilder()
        var body = try net.convolution(.variable("data"), numFilter: 4, kernel: [3, 3], pad: [1, 1], name: "conv")
        body = try net.activation(net.batchNorm(body, name: "bn"), .relu, name: "relu")
        body = try net.fullyConnected(net.flatten(body), numHidden: 3, name: "fc")
        return try net.softmaxOutput(body, name: "softmax")
    }
}

/// Guesses at a graph's inputs: the data, which is the first variable if the graph is not a classifier, or all
/// variables with the same shape.
private func inputShapes(_ symbol: Symbol) throws -> [[String: Shape]] {
    let names = try symbol.argumentNames()
    guard let first = (try? symbol.dataName()) ?? names.first else { return [[:]] }
    let image: Shape = [2, 4, 8, 8]
    return [image, [2, 6], [2, 3, 8]].map { [first: $0] }
        + [Dictionary(names.map { ($0, image) }, uniquingKeysWith: { first, _ in first })]
}

/// Infers shapes, computes costs, and compiles small networks.
private func use(_ symbol: Symbol, _ inputs: [String: Shape]) throws {
    let shapes = try symbol.inferShapes(inputs)
    _ = try NetworkSummary(symbol, inputs: inputs)
    _ = try symbol.inferTypes()
    let all = shapes.nodes.flatMap { $0 } + shapes.variables.values
    guard all.reduce(0.0, { $0 + Double($1.count) }) < 0x1p18 else { return }
    _ = try Executor(symbol, inputs: inputs, mode: .inference)
}
