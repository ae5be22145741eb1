import AnnealCompiler
import AnnealCore
import AnnealTrain
import Foundation

/// Recorded steps in the Trace Event Format for Perfetto and chrome://tracing.
///
/// One lane shows the steps with their phases nested in them; below it each phase has a lane for its operations, and so
/// have the exchanges between processes, which run concurrently.
package enum Trace {
    private static let stepLane = 0
    private static func lane(_ phase: OperationCost.Phase) -> Int {
        1 + (OperationCost.Phase.allCases.firstIndex(of: phase) ?? 0)
    }

    package static func write(_ timeline: Timeline, to path: String) throws {
        try write(timeline.spans, exchanges: timeline.exchanges, to: path)
    }

    /// - Parameter exchanges: of gradients between processes.
    package static func write(_ spans: [Timeline.Span], exchanges: [Timeline.Span] = [], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try Files.writeAtomically(try encoder.encode(json(spans, exchanges: exchanges)), to: path)
    }

    package static func json(_ spans: [Timeline.Span], exchanges: [Timeline.Span] = []) -> JSONValue {
        let all = spans + exchanges
        let used = OperationCost.Phase.allCases.filter { phase in all.contains { $0.operation.phase == phase } }
        let names = [(stepLane, "steps")] + used.map { (lane($0), $0.rawValue) }
        var events = names.map { lane, name -> JSONValue in
            ["ph": "M", "name": "thread_name", "pid": 1, "tid": .integer(lane), "args": ["name": .string(name)]]
        }
        for step in runs(of: spans, sharing: { $0.step }) {
            events.append(event("step \(step[0].step)", "step", stepLane, from: step[0], to: step[step.count - 1]))
            // An update may run in the middle of the backward pass: a phase can have several parts.
            for part in runs(of: step, sharing: { $0.operation.phase }) {
                let name = part[0].operation.phase.rawValue
                events.append(event(name, "phase", stepLane, from: part[0], to: part[part.count - 1]))
            }
        }
        for span in all {
            let operation = span.operation
            let arguments: JSONValue = [
                "step": .integer(span.step), "flop": .number(operation.flops), "bytes": .number(operation.bytes),
                "shapes": .string(operation.shapes), "implementation": .string(operation.implementation),
            ]
            events.append(
                event(
                    operation.layer, operation.kind, lane(operation.phase), from: span, to: span, arguments
                ))
        }
        return ["displayTimeUnit": "ms", "traceEvents": .array(events)]
    }

    /// A complete event. Ends are rounded like beginnings, so that nested events stay nested.
    private static func event(
        _ name: String, _ category: String, _ lane: Int, from first: Timeline.Span, to last: Timeline.Span,
        _ arguments: JSONValue = [:]
    ) -> JSONValue {
        let begin = nanoseconds(first.begin), end = nanoseconds(last.end)
        return [
            "ph": "X", "name": .string(name), "cat": .string(category), "pid": 1, "tid": .integer(lane),
            "ts": .number(Double(begin) / 1000), "dur": .number(Double(end - begin) / 1000), "args": arguments,
        ]
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
    }

    /// Runs of neighbours that share something.
    private static func runs<Key: Equatable>(
        of spans: [Timeline.Span], sharing key: (Timeline.Span) -> Key
    ) -> [[Timeline.Span]] {
        var result: [[Timeline.Span]] = []
        for span in spans {
            if let last = result.last?.last, key(last) == key(span) {
                result[result.count - 1].append(span)
            } else {
                result.append([span])
            }
        }
        return result
    }
}
