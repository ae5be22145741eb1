import Anneal
import Foundation

extension RunOptions {
    /// --monitor
    func monitors(_ trainer: Trainer, _ reports: [any FitObserver]) throws -> [any FitObserver] {
        guard monitor > 0 else { return [] }
        return [Monitor(trainer, interval: monitor, pattern: try monitoredNames(), reports)]
    }
}

/// MXNet's monitor: every N batches, the root mean square (norm / sqrt(size)) of the layers' outputs, of every
/// parameter and auxiliary state after the update, and of the gradients (`NAME_grad`).
///
/// Of layers that the compiler has fused, the last one's output is shown. An accelerator runs a step as one program, so
/// its layers' outputs are not available.
private final class Monitor: FitObserver {
    private let trainer: Trainer
    private let interval: Int
    private let pattern: Regex<AnyRegexOutput>
    private let reports: [any FitObserver]
    private var batches = 0
    private var hasWarned = false
    /// For the batch that is shown, in the order of computation.
    private var outputs: [(name: String, statistic: Double)] = []

    /// - Parameters:
    ///   - pattern: names that it matches at their beginning are shown.
    ///   - reports: receives the lines.
    init(_ trainer: Trainer, interval: Int, pattern: Regex<AnyRegexOutput>, _ reports: [any FitObserver]) {
        self.trainer = trainer
        self.interval = interval
        self.pattern = pattern
        self.reports = reports
    }

    func receive(_ event: FitEvent) throws {
        switch event {
        case .started: watch(true)
        case .batch:
            batches += 1
            if (batches - 1) % interval == 0 { try show() }
            watch(batches % interval == 0)
        case .finished: watch(false)
        default: break
        }
    }

    /// - Parameter isShown: whether the next batch is shown.
    private func watch(_ isShown: Bool) {
        outputs = []
        trainer.afterOperation = nil
        if isShown { trainer.afterOperation = { [weak self] operation in self?.look(at: operation) } }
    }

    private func look(at operation: Int) {
        for (name, values) in (try? trainer.training.outputs(of: operation)) ?? [] where matches(name) {
            // Every shard computes it.
            outputs.removeAll { $0.name == name }
            outputs.append((name, Self.statistic(values)))
        }
    }

    private func show() throws {
        var shown = outputs
        let names = trainer.parameters.names
        for name in names where matches(name) {
            shown.append((name, Self.statistic(try trainer.parameters.tensor(name))))
        }
        for name in names where !trainer.parameters.isAuxiliary(name) && matches("\(name)_grad") {
            if let gradient = try trainer.gradient(name) { shown.append(("\(name)_grad", Self.statistic(gradient))) }
        }
        if shown.isEmpty, !hasWarned {
            hasWarned = true
            for report in reports {
                try report.receive(.warning("--monitor-pattern matches no output, parameter or gradient"))
            }
        }
        for (name, statistic) in shown {
            let padded = name.padding(toLength: max(30, name.count), withPad: " ", startingAt: 0)
            let line = "Batch: \(String(format: "%7d", batches)) \(padded) \(Float(statistic))\t"
            for report in reports { try report.receive(.note(line)) }
        }
    }

    private func matches(_ name: String) -> Bool { (try? pattern.prefixMatch(in: name)) != nil }

    private static func statistic(_ values: Tensor) -> Double {
        let squares = values.elements.reduce(0.0) { $0 + Double($1) * Double($1) }
        return (squares / Double(max(1, values.count))).squareRoot()
    }
}
