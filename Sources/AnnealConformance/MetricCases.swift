import AnnealCore
import AnnealTrain
import Foundation

/// Runs a golden metric case batch by batch.
func checkMetric(_ folder: String, _ json: [String: Any]) throws -> CaseOutcome {
    let fields = CaseFields(json: json)
    let name: String = try fields.get("metric")
    var options = try fields.options()
    guard var metric = try Metrics.make(name, reading: &options) else { return .skipped("metric \(name)") }
    guard options.unused.isEmpty else { return .skipped("metric \(name): \(options.unused.joined(separator: ", "))") }
    let arrays = try CaseArrays(folder)
    let kwargs = json["kwargs"] as? [String: Any] ?? [:]
    var axis = (kwargs["axis"] as? NSNumber)?.intValue ?? 1
    // Perplexity's classes are on the last axis; its batches have two axes.
    if metric is Perplexity { axis = (kwargs["axis"] as? NSNumber)?.intValue ?? -1 }

    var values: [Double] = []
    for batch in 0..<(try fields.get("batches", NSNumber.self).intValue) {
        let labels = arrays.contains("label:\(batch)") ? try arrays.tensor("label:\(batch)") : Tensor([0])
        try add(labels, try arrays.tensor("pred:\(batch)"), axis: axis, to: &metric)
        values.append(metric.value)
    }
    // JSON has no NaN: Python writes it unquoted, other writers null.
    let expected = try fields.get("value_after_batch", [Any].self).map { ($0 as? NSNumber)?.doubleValue ?? .nan }
    var lines = [Tolerance(json: json).mismatch(name, values, expected)]
    if let display = json["display_name"] as? String, display != metric.name {
        lines.append("the name is \(metric.name), expected \(display)")
    }
    return outcome(lines)
}

private func add(_ labels: Tensor, _ outputs: Tensor, axis: Int, to metric: inout any Metric) throws {
    let same = labels.shape == outputs.shape
    let classes: Int, rows: Int, positions: Int, width: Int
    let numbers = same && (metric is Accuracy || metric is ClassCorrelation)
    if metric is RegressionMetric || metric is PearsonCorrelation || metric is LossMetric || numbers {
        rows = outputs.shape.rank > 0 ? outputs.shape[0] : 1
        let rest = outputs.count / max(1, rows)
        (classes, positions) = numbers ? (1, rest) : (rest, 1)
        width = max(1, labels.count / max(1, rows))
    } else {
        let axis = axis < 0 ? axis + outputs.shape.rank : axis
        guard outputs.shape.dims.indices.contains(axis) else {
            throw AnnealError("case.json, axis", "is \(axis), but the outputs have shape \(outputs.shape)")
        }
        rows = outputs.shape.dims[..<axis].reduce(1, *)
        classes = outputs.shape[axis]
        positions = outputs.shape.dims[(axis + 1)...].reduce(1, *)
        width = positions
    }
    try labels.elements.withUnsafeBufferPointer { labels in
        try outputs.elements.withUnsafeBufferPointer { outputs in
            try metric.update(
                MetricBatch(
                    labels: labels, outputs: outputs, rows: rows, classes: classes, positions: positions,
                    labelWidth: width, outputsAreClasses: numbers))
        }
    }
}
