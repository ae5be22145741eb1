import AnnealCompiler
import AnnealCore
import AnnealTrain
import Foundation

/// How much of the exchange of gradients between processes the backward pass hides.
package struct ExchangeSummary: Equatable {
    package let buckets: Int
    /// Of a step on average: the seconds in which gradients are on their way, waiting for other processes included.
    package let seconds: Double
    /// Those of them in which the backward pass runs.
    package let hidden: Double

    /// - Returns: nil if nothing was exchanged.
    package init?(_ spans: [Timeline.Span], exchanges: [Timeline.Span]) {
        let steps = Set(exchanges.map(\.step))
        guard !steps.isEmpty else { return nil }
        buckets = exchanges.count / steps.count
        var all = Duration.zero, hidden = Duration.zero
        for exchange in exchanges {
            all += exchange.duration
            let end = spans.filter { $0.step == exchange.step && $0.operation.phase == .backward }.map(\.end).max()
            if let end { hidden += max(.zero, min(exchange.end, end) - exchange.begin) }
        }
        seconds = all / .seconds(steps.count)
        self.hidden = hidden / .seconds(steps.count)
    }

    package var text: String {
        func milliseconds(_ seconds: Double) -> String { String(format: "%.2f", seconds * 1000) }
        return "Gradients: \(buckets.counted("bucket")), \(milliseconds(seconds)) ms of a step on their way, "
            + "\(milliseconds(hidden)) ms of it during the backward pass"
    }
}
