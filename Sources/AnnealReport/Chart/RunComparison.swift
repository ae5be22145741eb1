import AnnealTrain

/// Several runs in one picture: their validation curves, or their training curves if a run has no validation.
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
        let runs = runs.map(Shown.init)
        let names = runs.map { run in Set(run.epochs.joined().map(\.value.name)) }
        let shared = names.dropFirst().reduce(names.first ?? []) { $0.intersection($1) }
        let ranked = shared.sorted { (rank($0), $0) < (rank($1), $1) }.prefix(panels)
        return Chart(title: title, subtitle: subtitle, panels: ranked.map { panel($0, runs) })
    }

    private static func rank(_ name: String) -> Int {
        ["accuracy", "cross-entropy"].firstIndex(of: name) ?? 2
    }

    /// The curve of a run: its validation, or its training if it has none.
    private struct Shown {
        let label: String
        let validates: Bool
        /// The metrics of each epoch.
        let epochs: [[(number: Int, value: MetricValue)]]

        init(_ run: Run) {
            let validates = run.epochs.contains { !$0.validation.isEmpty }
            self.validates = validates
            label = validates ? run.label : "\(run.label) (training)"
            epochs = run.epochs.map { epoch in
                (validates ? epoch.validation : epoch.training).map { (epoch.epoch, $0) }
            }
        }
    }

    private static func panel(_ name: String, _ runs: [Shown]) -> Chart.Panel {
        let series = runs.map { run in
            let points = run.epochs.compactMap { epoch in
                epoch.first { $0.value.name == name }.map { Chart.Point(Double($0.number + 1), $0.value.value) }
            }
            return Chart.Series(label: run.label, points: points, marked: CurvesWriter.best(points, name))
        }
        let isAccuracy = name == "accuracy" || name.hasPrefix("top_k_accuracy_")
        let title =
            runs.allSatisfy(\.validates) ? "Validation \(name)" : name.prefix(1).uppercased() + name.dropFirst()
        return Chart.Panel(
            title: title, series: series, scale: isAccuracy ? .linear : .automatic(ratio: 100),
            limits: isAccuracy ? 0...1 : nil, height: isAccuracy ? 300 : 220)
    }
}
