import AnnealCore
import AnnealEngine
import Foundation

extension Trainer {
    /// A table of where a step's time goes, by kind of work, on what the slot holds.
    public func timesByLayer(steps: Int) throws -> String {
        var seconds: [String: Double] = [:], work: [String: Double] = [:], counts: [String: Int] = [:]
        let clock = ContinuousClock()
        for _ in 0..<steps {
            try optimizer.begin(trained)
            try training.run { step, body in
                let begin = clock.now
                body()
                let key = training.describe(step)
                seconds[key, default: 0] += (clock.now - begin).seconds
                work[key, default: 0] += step.flops
                counts[key, default: 0] += 1
            }
            let begin = clock.now
            update()
            seconds["update", default: 0] += (clock.now - begin).seconds
        }
        let total = seconds.values.reduce(0, +)
        var lines = [String(format: "%9.2f ms a step", total / Double(steps) * 1000)]
        for (key, time) in seconds.sorted(by: { $0.value > $1.value }) {
            let rate = (work[key] ?? 0) / time * 1e-9
            lines.append(
                String(
                    format: "%9.2f ms %5.1f %% %7.1f GFLOP/s %4d x ", time / Double(steps) * 1000, time / total * 100,
                    rate, (counts[key] ?? 0) / steps) + key)
        }
        return lines.joined(separator: "\n")
    }
}
