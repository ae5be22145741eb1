/// Whether more or less of a metric is better, by its name.
package enum MetricSense {
    private static let losses = ["loss", "entropy", "perplexity", "mae", "mse", "rmse", "error"]

    package static func isLoss(_ name: String) -> Bool { losses.contains { name.lowercased().contains($0) } }

    package static func isBetter(_ value: Double, than other: Double, name: String) -> Bool {
        isLoss(name) ? value < other : value > other
    }
}
