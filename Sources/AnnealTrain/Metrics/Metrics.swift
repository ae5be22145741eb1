import AnnealCore

/// Several metrics over the same batches; MXNet's `composite`.
public struct CompositeMetric: Sendable {
    public var metrics: [any Metric]

    public init(_ metrics: [any Metric] = []) { self.metrics = metrics }

    public var results: [MetricValue] { metrics.map(\.result) }

    public mutating func update(_ batch: MetricBatch) throws {
        for index in metrics.indices { try metrics[index].update(batch) }
    }

    public mutating func reset() { for index in metrics.indices { metrics[index].reset() } }
}

/// The metrics by MXNet's names.
public enum Metrics {
    private static let aliases = [
        "acc": "accuracy", "top_k_acc": "top_k_accuracy", "topkaccuracy": "top_k_accuracy", "crossentropy": "ce",
        "cross-entropy": "ce", "negativeloglikelihood": "nll_loss", "nll-loss": "nll_loss",
        "pearsoncorrelation": "pearsonr",
    ]

    /// The names that `make` accepts, without aliases.
    public static let names = [
        "accuracy", "top_k_accuracy", "ce", "nll_loss", "perplexity", "mae", "mse", "rmse", "f1", "mcc", "pcc",
        "pearsonr", "loss", "torch", "caffe",
    ]

    /// Creates a metric from MXNet's name and keyword arguments, e.g. `make("top_k_accuracy", ["top_k": 5])`.
    public static func make(_ name: String, _ options: NamedOptions = [:]) throws -> any Metric {
        var options = options
        guard let metric = try make(name, reading: &options) else {
            throw AnnealError(
                "metric", "'\(name)' is unknown", suggestion: "it must be one of \(names.joined(separator: ", "))",
                code: .notFound)
        }
        try options.finish()
        return metric
    }

    /// As above; nil for an unknown name, and unknown options are left in `options.unused`. An `axis` is ignored: the
    /// code that makes the batches knows where the classes are.
    public static func make(_ name: String, reading options: inout NamedOptions) throws -> (any Metric)? {
        let key = aliases[name.lowercased()] ?? name.lowercased()
        options.place = "metric \(key)"
        options.ignore("output_names")
        options.ignore("label_names")
        func title(_ standard: String) throws -> String { try options.text("name", standard) }
        switch key {
        case "accuracy":
            options.ignore("axis")
            return Accuracy(name: try title("accuracy"))
        case "top_k_accuracy":
            let k = try options.integer("top_k", 1)
            guard k > 1 else {
                throw AnnealError("\(options.place), top_k", "is \(k)", suggestion: "use accuracy instead")
            }
            return TopKAccuracy(k: k, name: try title("top_k_accuracy"))
        case "ce":
            return CrossEntropy(epsilon: try options.number("eps", 1e-12), name: try title("cross-entropy"))
        case "nll_loss": return CrossEntropy(epsilon: try options.number("eps", 1e-12), name: try title("nll-loss"))
        case "perplexity":
            options.ignore("axis")
            let ignored = try options.optionalNumber("ignore_label")
            return Perplexity(ignoreLabel: ignored.flatMap { Int(exactly: $0) }, name: try title("perplexity"))
        case "mae", "mse", "rmse":
            return RegressionMetric.Kind(rawValue: key).map { RegressionMetric($0, name: (try? title(key)) ?? key) }
        case "f1", "mcc":
            guard let kind = BinaryMetric.Kind(rawValue: key) else { return nil }
            return BinaryMetric(kind, average: try options.choice("average", .macro), name: try title(key))
        case "pcc":
            options.ignore("has_global_stats")
            return ClassCorrelation(name: try title("pcc"))
        case "pearsonr":
            return PearsonCorrelation(average: try options.choice("average", .macro), name: try title("pearsonr"))
        case "loss", "torch", "caffe": return LossMetric(name: try title(key))
        default: return nil
        }
    }
}
