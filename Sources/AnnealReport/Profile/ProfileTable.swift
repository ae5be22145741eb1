import AnnealCompiler
import AnnealTrain
import Foundation

/// Where the time of recorded steps goes, compared with the machine's peak performance.
package struct ProfileTable {
    package enum Grouping: Sendable {
        /// Operations of one kind are one row.
        case kind
        /// Operations of one layer and kind.
        case layer
        /// Operations of one kind, shapes and implementation.
        case shape

        func key(_ operation: OperationCost) -> String {
            let parts =
                switch self {
                case .kind: [operation.kind]
                case .layer: [operation.layer, operation.kind]
                case .shape: [operation.kind, operation.shapes, operation.implementation]
                }
            return parts.filter { !$0.isEmpty }.joined(separator: "  ")
        }
    }

    /// Sums over all steps.
    package struct Row: Sendable {
        package var name: String
        package var calls = 0
        package var seconds = 0.0
        package var flops = 0.0
        package var bytes = 0.0
        /// The lower bound from the roofline model.
        package var leastSeconds = 0.0

        mutating func add(_ other: Row) {
            calls += other.calls
            seconds += other.seconds
            flops += other.flops
            bytes += other.bytes
            leastSeconds += other.leastSeconds
        }
    }

    /// The longest first.
    package let rows: [Row]
    package let total: Row
    package let steps: Int

    package init(_ spans: [Timeline.Span], by grouping: Grouping, roofline: Roofline) {
        var byName: [String: Row] = [:]
        var total = Row(name: "all")
        for span in spans {
            let operation = span.operation, name = grouping.key(operation)
            let row = Row(
                name: name, calls: 1, seconds: span.duration / .seconds(1), flops: operation.flops,
                bytes: operation.bytes,
                leastSeconds: roofline.seconds(flops: operation.flops, bytes: operation.bytes))
            byName[name, default: Row(name: name)].add(row)
            total.add(row)
        }
        rows = byName.values.sorted { ($0.seconds, $1.name) > ($1.seconds, $0.name) }
        self.total = total
        steps = Set(spans.map(\.step)).count
    }

    /// Lines of numbers for one step; names come last because they have any length.
    package var text: String {
        let head = "  calls          ms    share    GFLOP/s      GB/s   roofline  operation"
        return ([head] + (rows + [total]).map(line)).joined(separator: "\n")
    }

    private func line(_ row: Row) -> String {
        let steps = Double(max(self.steps, 1))
        func share(_ part: Double, of whole: Double) -> String {
            whole > 0 && part > 0 ? String(format: "%.1f %%", part / whole * 100) : "-"
        }
        func rate(_ amount: Double) -> String {
            amount > 0 && row.seconds > 0 ? String(format: "%.1f", amount / row.seconds * 1e-9) : "-"
        }
        let cells = [
            (String(format: "%.0f", Double(row.calls) / steps), 7),
            (String(format: "%.3f", row.seconds / steps * 1000), 12), (share(row.seconds, of: total.seconds), 9),
            (rate(row.flops), 11), (rate(row.bytes), 10), (share(row.leastSeconds, of: row.seconds), 11),
        ]
        return cells.map { String(repeating: " ", count: max(0, $1 - $0.count)) + $0 }.joined() + "  " + row.name
    }
}
