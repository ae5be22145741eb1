import Anneal
import AnnealCompiler
import Testing

/// Every combination of step features runs, and features that only save memory or time change no bit.
@Suite struct CombinationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let accumulation: Int
        let clipNorm: Double?
        let averaging: WeightAveraging?

        var testDescription: String {
            "accumulation \(accumulation), clip norm \(clipNorm as Any), \(averaging as Any)"
        }

        static let all: [Case] = [1, 3].flatMap { accumulation in
            [nil, 0.5].flatMap { clipNorm in
                [nil, .movingAverage(decay: 0.9), .lookahead(every: 2, alpha: .constant(0.5))].map {
                    Case(accumulation: accumulation, clipNorm: clipNorm, averaging: $0)
                }
            }
        }
    }

    /// Its first weight, of 24,000 numbers, is large enough for a separate update.
    private func network() throws -> Symbol {
        let builder = SymbolBuilder()
        var body = try builder.apply("BatchNorm", name: "bn", inputs: [.variable("data")], attributes: [:])
        body = try builder.activation(builder.fullyConnected(body, numHidden: 4000, name: "hidden"), .tanh)
        body = try builder.apply("Dropout", name: "drop", inputs: [body], attributes: ["p": "0.3"])
        return try builder.softmaxOutput(builder.fullyConnected(body, numHidden: 3, name: "out"), name: "softmax")
    }

    @Test(arguments: Case.all) func savesMemoryToTheSameBits(_ combination: Case) throws {
        func hashes(_ recomputation: Recomputation, keepsGradients: Bool, canDropSteps: Bool) throws -> [String] {
            let trainer = try Trainer(
                network(), dataShape: [6], batchSize: 4,
                optimizer: Optimizer(
                    SGD(momentum: 0.9),
                    settings: OptimizerSettings(
                        learningRate: 0.05, weightDecay: 0.01, clipNorm: combination.clipNorm)), seed: 1,
                recomputation: recomputation, averaging: combination.averaging,
                accumulation: combination.accumulation, keepsGradients: keepsGradients, canDropSteps: canDropSteps)
            try trainer.initialize(Xavier())
            let isEarly = combination.clipNorm == nil && !keepsGradients && !canDropSteps
            #expect(trainer.training.program.updatedEarly.contains("hidden_weight") == isEarly)
            // Five batches.
            try trainer.fit(training: SmallRun.source(), epochs: 0..<1)
            return try trainer.stateHashes().map(\.hash)
        }
        let expected = try hashes(.off, keepsGradients: true, canDropSteps: false)
        for recomputation in [Recomputation.off, .full, Recomputation(share: 1, price: 0)] {
            for keepsGradients in [false, true] {
                for canDropSteps in [false, true] {
                    let result = try hashes(
                        recomputation, keepsGradients: keepsGradients, canDropSteps: canDropSteps)
                    #expect(result == expected, "gradients kept: \(keepsGradients), steps dropped: \(canDropSteps)")
                }
            }
        }
    }
}
