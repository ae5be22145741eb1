import Anneal
import AnnealCompiler
import AnnealXLA
import Testing

/// `--recompute` with a compiler that orders the work: recomputation must not be merged with the first computation.
@Suite(.enabled(if: hasVirtualDevices, "no plugin for xla-cpu ('make plugin NAME=cpu' installs it)"))
struct RecomputationOnXLATests {
    private func train(_ recomputation: Recomputation, shards: Int = 1) throws -> (weights: [Float], bytes: Int) {
        let net = SymbolBuilder()
        var body = Symbol.variable("data")
        for layer in 0..<12 {
            body = try net.convolution(body, numFilter: 8, kernel: [3, 3], pad: [1, 1], name: "c\(layer)")
            body = try net.activation(net.batchNorm(body, fixGamma: false, name: "n\(layer)"), .relu)
            if layer == 5 { body = try net.dropout(body, p: 0.2, name: "d") }
        }
        body = try net.pooling(body, kind: .avg, kernel: [24, 24])
        let symbol = try net.softmaxOutput(
            net.fullyConnected(net.flatten(body), numHidden: 4, name: "fc"), name: "softmax")
        let trainer = try Trainer(
            symbol, dataShape: [3, 24, 24], batchSize: 8,
            optimizer: Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9]), seed: 3,
            recomputation: recomputation,
            engine: Accelerators.engine("xla-cpu", indexes: Array(0..<shards), shards: shards))
        try trainer.initialize(Xavier())
        let source = try InMemorySource(
            data: Tensor([8, 3, 24, 24], noise(8 * 3 * 24 * 24, 4)),
            labels: Tensor([8], (0..<8).map { Float($0 % 4) }), batchSize: 8)
        try trainer.fit(training: source, epochs: 0..<2)
        return (
            try trainer.parameters.names.flatMap { try trainer.parameters.tensor($0).elements }, trainer.plannedBytes
        )
    }

    @Test(arguments: [1, 2]) func needsLessMemoryForTheSameResult(_ shards: Int) throws {
        let plain = try train(.cheap, shards: shards)
        let small = try train(Recomputation(share: 1, price: 0), shards: shards)
        #expect(plain.bytes > 0)
        #expect(Double(small.bytes) < 0.7 * Double(plain.bytes), "\(small.bytes) and \(plain.bytes)")
        let error = zip(small.weights, plain.weights).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error < 1e-4)
    }
}
