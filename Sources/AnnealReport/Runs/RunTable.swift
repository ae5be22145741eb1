import AnnealCore
import AnnealTrain
import Foundation

/// The settings and results of several runs, side by side.
public struct RunTable: Sendable {
    public struct Row: Sendable, Equatable {
        public var name: String
        /// By run; `-` if a run has none.
        public var values: [String]

        public init(name: String, values: [String]) {
            self.name = name
            self.values = values
        }
    }

    /// The settings that differ between the runs, in the order of their names.
    public let settings: [Row]
    public let results: [Row]

    /// Flags that name the run's own files, and the one whose file has set others.
    private static let own: Set<String> = ["run-folder", "model-prefix", "config"]

    public init(_ runs: [RunSummary]) {
        let flags = runs.map { $0.record?.arguments ?? [:] }
        let names = flags.reduce(into: Set<String>()) { $0.formUnion($1.keys) }.subtracting(Self.own).sorted()
        var settings = [Row(name: "command", values: runs.map { $0.record?.command ?? "-" })]
        settings += names.map { name in
            Row(name: "--\(name)", values: flags.map { $0[name].map(\.text) ?? "-" })
        }
        settings += [
            Row(name: "version", values: runs.map { $0.record?.version ?? "-" }),
            Row(name: "processor", values: runs.map { $0.record?.machine.processor ?? "-" }),
            Row(name: "threads", values: runs.map { $0.record.map { "\($0.threads)" } ?? "-" }),
        ]
        self.settings = settings.filter { Set($0.values).count > 1 }
        results = Self.results(runs)
    }

    private static func results(_ runs: [RunSummary]) -> [Row] {
        let histories = runs.map { RunHistory.readable(RunFolder(existing: $0.path).metricsJSONL) }
        func row(_ name: String, _ value: (Int) -> String?) -> Row {
            Row(name: name, values: runs.indices.map { value($0) ?? "-" })
        }
        var rows = [
            row("state") { runs[$0].state.rawValue },
            row("epochs") { index in runs[index].endEpoch.map { "\(runs[index].epochs) of \($0)" } },
            row("time") { Readable.duration(runs[$0].seconds) },
            row("images/s, median") { index in
                let rates = histories[index].map(\.samplesPerSecond).filter(\.isFinite).sorted()
                return rates.isEmpty ? nil : Readable.rate(rates[rates.count / 2])
            },
        ]
        for metric in Set(runs.compactMap(\.best?.metric)).sorted() {
            rows.append(
                row("best validation \(metric)") { index in
                    guard let best = runs[index].best, best.metric == metric else { return nil }
                    return "\(Readable.metric(best.value)) (checkpoint \(best.checkpoint))"
                })
        }
        for (word, part) in [("training", \EpochReport.training), ("validation", \EpochReport.validation)] {
            let names = histories.reduce(into: Set<String>()) {
                $0.formUnion($1.last?[keyPath: part].map(\.name) ?? [])
            }
            for name in names.sorted() {
                rows.append(
                    row("last \(word) \(name)") { index in
                        histories[index].last?[keyPath: part].first { $0.name == name }.map {
                            Readable.metric($0.value)
                        }
                    })
            }
        }
        return rows
    }
}

extension JSONValue {
    /// As a user would type it: text without quotes, lists with commas.
    public var text: String {
        switch self {
        case .null: "-"
        case .boolean(let value): value ? "on" : "off"
        case .integer(let value): "\(value)"
        case .unsigned(let value): "\(value)"
        case .number(let value): value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
        case .string(let value): value
        case .array(let values): values.map(\.text).joined(separator: ",")
        case .object(let values):
            values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" }.joined(separator: ",")
        }
    }

    /// One line, with sorted keys.
    public func encoded() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
