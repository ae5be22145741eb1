import Anneal
import Foundation
import Testing

/// What a program that creates its own trainers may rely on.
@Suite struct TrainerContractTests {
    private static func symbol() throws -> Symbol {
        let net = SymbolBuilder()
        return try net.softmaxOutput(net.fullyConnected(.variable("data"), numHidden: 3, name: "out"), name: "softmax")
    }

    /// The weights after a step on the same batch.
    private func stepped(_ optimizer: Optimizer, accumulation: Int = 1) throws -> [Float] {
        let trainer = try Trainer(
            Self.symbol(), dataShape: [6], batchSize: 4, optimizer: optimizer, seed: 1, accumulation: accumulation)
        try trainer.initialize(Xavier())
        try trainer.fit(training: SmallRun.source(), epochs: 0..<1)
        return try trainer.parameters.tensor("out_weight").elements
    }

    @Test func theOptimizerStaysAsItWasGiven() throws {
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.5, "momentum": 0.9])
        let first = try stepped(optimizer)
        #expect(optimizer.settings.rescaleGradient == 1)
        #expect(optimizer.updates == 0 && optimizer.snapshot().counts.isEmpty)
        _ = try stepped(optimizer, accumulation: 2)
        #expect(try stepped(optimizer) == first)
    }

    @Test func trainingWithoutValuesIsRefused() throws {
        func refusal(_ body: (Trainer) throws -> Void) throws -> String {
            let trainer = try Trainer(
                Self.symbol(), dataShape: [6], batchSize: 4, optimizer: try Optimizers.make("sgd"))
            do {
                try body(trainer)
                return ""
            } catch { return "\(error)" }
        }
        let fit = try refusal { try $0.fit(training: SmallRun.source(), epochs: 0..<1) }
        #expect(fit.contains("2 of 2 have no values yet; the first is out_weight (call initialize(_:)"))
        #expect(try refusal { try $0.step() } == fit)
        #expect(try refusal { _ = try $0.score(SmallRun.source(), metrics: CompositeMetric([Accuracy()])) } == fit)
        let half = try refusal {
            try $0.parameters.set("out_weight", Tensor([3, 6]))
            try $0.fit(training: SmallRun.source(), epochs: 0..<1)
        }
        #expect(half.contains("1 of 2 have no values yet; the first is out_bias"))
        let loaded = try refusal {
            try $0.parameters.set("out_weight", Tensor([3, 6]))
            try $0.parameters.set("out_bias", Tensor([3]))
            try $0.fit(training: SmallRun.source(), epochs: 0..<1)
        }
        #expect(loaded.isEmpty)
    }

    @Test func asynchronousFitRunsOnAThreadOfItsOwn() async throws {
        let serial = try SmallRun.trainer(), trainer = try SmallRun.trainer()
        try train(serial)
        let threads = Threads()
        let reports = try await trainer.fit(
            training: SmallRun.source(), epochs: 0..<2, options: FitOptions(observers: [threads]))
        #expect(reports.count == 2 && threads.names == ["anneal-fit"])
        for name in serial.parameters.names {
            #expect(try trainer.parameters.tensor(name) == serial.parameters.tensor(name))
        }
    }

    private func train(_ trainer: Trainer) throws { try trainer.fit(training: SmallRun.source(), epochs: 0..<2) }

    @Test func cancellingATaskEndsItsRun() async throws {
        let task = Task {
            let trainer = try SmallRun.trainer()
            let canceller = Canceller()
            // It would not end by itself.
            try await trainer.fit(
                training: SmallRun.source(), epochs: 0..<1_000_000_000,
                options: FitOptions(observers: [canceller]))
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    private final class Canceller: FitObserver {
        func receive(_ event: FitEvent) {}
    }

    private final class Threads: FitObserver {
        var names: Set<String> = []
        func receive(_ event: FitEvent) { names.insert(Thread.current.name ?? "") }
    }
}
