import Anneal
import AnnealReference
import AnnealXLA
import Testing

/// 8-bit pixels that an accelerator converts to floats.
@Suite(.enabled(if: hasVirtualDevices, "no plugin for xla-cpu ('make plugin NAME=cpu' installs it)"))
struct PixelInputTests {
    /// Images of noise, as floats or pixels.
    private final class Images: BatchSource {
        let batchSize = 4, dataShape: Shape = [3, 6, 6], labelWidth = 1, count = 22
        let pixelScaling: PixelScaling?
        private let scaling = PixelScaling(mean: [120, 100, 90.5], factor: [1 / 60, 1 / 50, 1 / 64])
        private var cursor = 0
        private(set) var pixelBatches = 0

        init(givesPixels: Bool) { pixelScaling = givesPixels ? scaling : nil }

        func start(epoch: Int, atBatch: Int) { cursor = atBatch * batchSize }

        func next(into slot: BatchSlot) -> Int {
            let valid = min(batchSize, count - cursor)
            guard valid > 0 else { return 0 }
            if slot.pixels != nil { pixelBatches += 1 }
            for row in 0..<batchSize {
                let sample = (cursor + row) % count
                for i in 0..<dataShape.count {
                    let pixel = UInt8(truncatingIfNeeded: (sample * 211 + i * 37) ^ (sample * i)), channel = i / 36
                    slot.pixels?[row * dataShape.count + i] = pixel
                    if slot.pixels == nil {
                        slot.data[row * dataShape.count + i] =
                            (Float(pixel) - scaling.mean[channel]) * scaling.factor[channel]
                    }
                }
                slot.labels[row] = Float(sample % 3)
            }
            cursor += valid
            return valid
        }
    }

    private func train(_ engine: any Engine, givesPixels: Bool, accumulation: Int = 1) throws -> (
        weights: [Float], metrics: [Double], batches: Int
    ) {
        let net = SymbolBuilder()
        var body = try net.convolution(.variable("data"), numFilter: 6, kernel: [3, 3], name: "a")
        body = try net.activation(net.batchNorm(body, name: "n"), .relu)
        let symbol = try net.softmaxOutput(
            net.fullyConnected(net.flatten(body), numHidden: 3, name: "fc"), name: "softmax")
        let trainer = try Trainer(
            symbol, dataShape: [3, 6, 6], batchSize: 4,
            optimizer: Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9]), seed: 3,
            accumulation: accumulation, engine: engine)
        try trainer.initialize(Xavier())
        let source = Images(givesPixels: givesPixels)
        let reports = try trainer.fit(training: source, validation: source, epochs: 0..<2)
        let metrics = reports.flatMap { $0.training + $0.validation }.map(\.value)
        return (
            try trainer.parameters.names.flatMap { try trainer.parameters.tensor($0).elements }, metrics,
            source.pixelBatches
        )
    }

    private func expectClose(_ a: [Float], _ b: [Float], _ tolerance: Float) {
        #expect(a.count == b.count)
        let error = zip(a, b).map { abs($0 - $1) / max(1, abs($1)) }.max() ?? 0
        #expect(error <= tolerance)
    }

    @Test(arguments: [1, 3]) func trainsAndScoresAsWithFloats(_ accumulation: Int) throws {
        let engine = try Accelerators.engine("xla-cpu", indexes: [0])
        let pixels = try train(engine, givesPixels: true, accumulation: accumulation)
        let floats = try train(ReferenceEngine(), givesPixels: false, accumulation: accumulation)
        // Training and scoring, each of two epochs.
        #expect(pixels.batches == 4 * 6)
        expectClose(pixels.weights, floats.weights, 1e-4)
        expectClose(pixels.metrics.map { Float($0) }, floats.metrics.map { Float($0) }, 1e-4)
    }

    @Test func aShardGetsItsPartOfThem() throws {
        let four = try train(
            Accelerators.engine("xla-cpu", indexes: [0, 1], shards: 2), givesPixels: true)
        let floats = try train(
            Accelerators.engine("xla-cpu", indexes: [0, 1], shards: 2), givesPixels: false)
        expectClose(four.weights, floats.weights, 1e-5)
    }

    @Test func enginesOfFloatsGetFloats() throws {
        let found = try train(ReferenceEngine(), givesPixels: true)
        #expect(found.batches == 0)
        #expect(found.weights == (try train(ReferenceEngine(), givesPixels: false)).weights)
    }
}
