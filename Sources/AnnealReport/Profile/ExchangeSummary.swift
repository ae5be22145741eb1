import AnnealCompiler
import AnnealCore
import AnnealTrain
import Foundation

/// How much of the gradient exchange between processes overlaps with the backward pass and the next forward pass.
package struct ExchangeSummary: Equatable {
    package let buckets: Int
    /// Per step on average: the seconds in which gradients are being exchanged, including waiting for other processes.
    package let seconds: Double
    /// The part of them in which the backward pass runs.
    package let hidden: Double
    /// The part of them in which the next step's forward pass runs.
    package let hiddenByNext: Double

    /// - Returns: nil if nothing was exchanged.
    package init?(_ spans: [Timeline.Span], exchanges: [Timeline.Span]) {
        let steps = Set(exchanges.map(\.step))
        guard !steps.isEmpty else { return nil }
        buckets = exchanges.count / steps.count
        var all = Duration.zero, hidden = Duration.zero, next = Duration.zero
        for exchange in exchanges {
            all += exchange.duration
            let end = spans.filter { $0.step == exchange.step && $0.operation.phase == .backward }.map(\.end).max()
            if let end { hidden += max(.zero, min(exchange.end, end) - exchange.begin) }
            for span in spans where span.step == exchange.step + 1 && span.operation.phase == .forward {
                next += max(.zero, min(exchange.end, span.end) - max(exchange.begin, span.begin))
            }
        }
        seconds = all / .seconds(steps.count)
        self.hidden = hidden / .seconds(steps.count)
        hiddenByNext = next / .seconds(steps.count)
    }

    package var text: String {
        func milliseconds(_ seconds: Double) -> String { String(format: "%.2f", seconds * 1000) }
        return "Gradients: \(buckets.counted("bucket")), \(milliseconds(seconds)) ms of exchange per step, "
            + "\(milliseconds(hidden)) ms of it hidden by the backward pass"
            + (hiddenByNext > 0 ? ", \(milliseconds(hiddenByNext)) ms by the next forward pass" : "")
    }
}
