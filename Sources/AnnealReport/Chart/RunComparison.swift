import AnnealTrain

/// Several runs in one picture: their validation curves, or those of training where a run validated nothing.
public enum RunComparison {
    public struct Run: Sendable {
        public var label: String
        public var epochs: [EpochReport]

        public init(label: String, epochs: [EpochReport]) {
            self.label = label
            self.epochs = epochs
        }
    }

    /// A panel for each metric that all runs have, at most `panels`; accuracy first. Rings mark each run's best.
    public static func chart(_ runs: [Run], title: String, subtitle: String? = nil, panels: Int = 2) -> Chart {
        let names = runs.map { run in Set(run.epochs.flatMap { values($0, of: run) }.map(\.name)) }
        let shared = names.dropFirst().reduce(names.first ?? []) { $0.intersection($1) }
        let ranked = shared.sorted { (rank($0), $0) < (rank($1), $1) }.prefix(panels)
        return Chart(title: title, subtitle: subtitle, panels: ranked.map { panel($0, runs) })
    }

    private static func rank(_ name: String) -> Int {
        ["accuracy", "cross-entropy"].firstIndex(of: name) ?? 2
    }

    private static func validates(_ run: Run) -> Bool { run.epochs.contains { !$0.validation.isEmpty } }

    private static func values(_ epoch: EpochReport, of run: Run) -> [MetricValue] {
        validates(run) ? epoch.validation : epoch.training
    }

    private static func panel(_ name: String, _ runs: [Run]) -> Chart.Panel {
        let series = runs.map { run in
            let points = run.epochs.compactMap { epoch in
                values(epoch, of: run).first { $0.name == name }.map { Chart.Point(Double(epoch.epoch + 1), $0.value) }
            }
            return Chart.Series(
                label: validates(run) ? run.label : "\(run.label) (training)", points: points,
                marked: CurvesWriter.best(points, name))
        }
        let isAccuracy = name == "accuracy" || name.hasPrefix("top_k_accuracy_")
        return Chart.Panel(
            title: runs.allSatisfy(validates) ? "Validation \(name)" : name.prefix(1).uppercased() + name.dropFirst(),
            series: series, scale: isAccuracy ? .linear : .automatic(ratio: 100), limits: isAccuracy ? 0...1 : nil,
            height: isAccuracy ? 300 : 220)
    }
}
