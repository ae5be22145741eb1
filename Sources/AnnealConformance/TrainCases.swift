import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealTrain
import Foundation

/// Runs a golden case of an optimizer, schedule, metric or initializer; nil for a case of another kind.
///
/// Throws if the case itself cannot be read.
package func checkTrainCase(
    kind: String, folder: String, json: [String: Any], engine: any Engine
) throws -> CaseOutcome? {
    switch kind {
    case "optimizer": try checkOptimizer(folder, json, engine: engine)
    case "schedule": try checkSchedule(json)
    case "fit_schedule": try checkFitSchedule(json)
    case "metric": try checkMetric(folder, json)
    case "initializer": try checkInitializers(folder, json)
    default: nil
    }
}

/// Reads fields of a `case.json`; the error names the field.
struct CaseFields {
    let json: [String: Any]

    func get<T>(_ key: String, _ type: T.Type = T.self) throws -> T {
        guard let value = json[key] as? T else {
            throw AnnealError("case.json, \(key)", json[key] == nil ? "is missing" : "is not a \(T.self)")
        }
        return value
    }

    func numbers(_ key: String) throws -> [Double] { try get(key, [NSNumber].self).map(\.doubleValue) }

    func integers(_ key: String) throws -> [Int] { try get(key, [NSNumber].self).map(\.intValue) }

    func numberTable(_ key: String) throws -> [String: Double] {
        (json[key] as? [String: NSNumber] ?? [:]).mapValues(\.doubleValue)
    }

    func options(_ key: String = "kwargs") throws -> NamedOptions {
        try NamedOptions(json: json[key] as? [String: Any] ?? [:])
    }
}

/// A file of named arrays in a case's folder.
struct CaseArrays {
    private let arrays: [String: StoredArray]

    init(_ folder: String, file: String = "io.params") throws {
        arrays = Dictionary(try ParamsFile.read("\(folder)/\(file)").map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    }

    func contains(_ name: String) -> Bool { arrays[name] != nil }

    func tensor(_ name: String) throws -> Tensor {
        guard let array = arrays[name] else { throw AnnealError("io.params", "has no array \(name)") }
        return array.tensor()
    }
}

// MARK: - Schedules

private func checkSchedule(_ json: [String: Any]) throws -> CaseOutcome {
    let fields = CaseFields(json: json)
    var options = try fields.options()
    let name: String = try fields.get("class")
    guard var schedule = try Schedules.make(name, reading: &options) else { return .skipped("schedule \(name)") }
    guard options.unused.isEmpty else { return .skipped("\(name): \(options.unused.joined(separator: ", "))") }
    if let rate = json["optimizer_learning_rate"] as? NSNumber { schedule.baseRate = rate.doubleValue }
    var replay = ScheduleReplay(schedule)
    let rates = try fields.integers("num_update").map { replay.rate(at: $0) }
    return outcome([Tolerance(json: json).mismatch("lr", rates, try fields.numbers("lr"))])
}

private func checkFitSchedule(_ json: [String: Any]) throws -> CaseOutcome {
    let fields = CaseFields(json: json)
    let flags = CaseFields(json: try fields.get("flags"))
    let known: Set = [
        "lr", "lr_factor", "lr_step_epochs", "num_examples", "batch_size", "num_epochs", "load_epoch", "num_workers",
    ]
    let unknown = flags.json.keys.filter { !known.contains($0) }.sorted()
    guard unknown.isEmpty else { return .skipped("flags \(unknown.joined(separator: ", "))") }
    func number(_ key: String) -> Double? { (flags.json[key] as? NSNumber)?.doubleValue }
    let first = number("load_epoch").map { Int($0) } ?? 0, epochs: NSNumber = try flags.get("num_epochs")
    let fit = try fitSchedule(
        lr: try flags.get("lr", NSNumber.self).doubleValue, factor: number("lr_factor"),
        stepEpochs: flags.json["lr_step_epochs"] as? String,
        numExamples: try flags.get("num_examples", NSNumber.self).intValue,
        batchSize: try flags.get("batch_size", NSNumber.self).intValue, loadEpoch: first, numEpochs: epochs.intValue,
        workers: number("num_workers").map { Int($0) } ?? 1)
    // As the optimizer of a run would call it.
    let optimizer = Optimizer(
        SGD(), settings: OptimizerSettings(learningRate: fit.learningRate, schedule: fit.schedule))
    let epochNumbers = 0..<max(0, epochs.intValue - first)
    let tolerance = Tolerance(json: json)
    var lines = [
        tolerance.mismatch(
            "lr_first", epochNumbers.map { optimizer.rate(at: $0 * fit.epochSize + 1) }, try fields.numbers("lr_first")),
        tolerance.mismatch(
            "lr_last", epochNumbers.map { optimizer.rate(at: ($0 + 1) * fit.epochSize) }, try fields.numbers("lr_last")),
        tolerance.mismatch(
            "optimizer_learning_rate", [fit.learningRate],
            [try fields.get("optimizer_learning_rate", NSNumber.self).doubleValue]),
        tolerance.mismatch(
            "epoch_size", [Double(fit.epochSize)], [try fields.get("epoch_size", NSNumber.self).doubleValue]),
    ]
    if json["steps"] is [NSNumber] {
        lines.append(tolerance.mismatch("steps", fit.steps.map(Double.init), try fields.numbers("steps")))
    }
    return outcome(lines)
}

// MARK: - Initializers

private func checkInitializers(_ folder: String, _ json: [String: Any]) throws -> CaseOutcome {
    var lines: [String?] = []
    let arrays = try CaseArrays(folder)
    for entry in json["xavier"] as? [[String: Any]] ?? [] {
        let fields = CaseFields(json: entry)
        var options = try fields.options()
        let xavier = try Xavier(options: &options)
        guard options.unused.isEmpty else { return .skipped("xavier: \(options.unused.joined(separator: ", "))") }
        let shape = Shape(try fields.integers("shape"))
        let scale = try xavier.scale(shape)
        let what = "xavier \(entry["kwargs"] ?? "") \(shape)"
        lines.append(
            Tolerance(rtol: 1e-12, atolRelative: 0, atol: 0).mismatch(
                what, [scale], [try fields.get("scale", NSNumber.self).doubleValue]))
        lines.append(checkStatistics(what, try xavier.parameter("a_weight", shape, seed: 1), xavier, scale))
    }
    for key in json.keys.sorted() where key.hasPrefix("by_name_with_Constant_") {
        guard let value = Float(key.dropFirst("by_name_with_Constant_".count)) else { return .skipped(key) }
        for entry in json[key] as? [[String: Any]] ?? [] {
            let fields = CaseFields(json: entry)
            let name: String = try fields.get("name")
            let values = try Constant(value).parameter(
                name, [3], attributes: entry["attrs"] as? [String: String] ?? [:], seed: 1)
            let expected = try fields.get("value", NSNumber.self).floatValue
            lines.append(
                Tolerance(rtol: 0, atolRelative: 0, atol: 0).mismatch(
                    name, values.elements, [Float](repeating: expected, count: 3)))
        }
    }
    if arrays.contains("bilinear") {
        let expected = try arrays.tensor("bilinear")
        let tensor = try Bilinear().parameter("up_weight", expected.shape, seed: 1)
        lines.append(Tolerance(json: json).mismatch("bilinear", tensor.elements, expected.elements))
    }
    return outcome(lines)
}

/// Whether drawn values have the right distribution: uniform ones stay within the scale, and the mean square is right
/// within five standard deviations.
private func checkStatistics(_ what: String, _ values: Tensor, _ xavier: Xavier, _ scale: Double) -> String? {
    let squares = values.elements.map { Double($0) * Double($0) }
    let uniform = xavier.distribution == .uniform
    if uniform, let largest = squares.max(), largest.squareRoot() > scale * (1 + 1e-6) {
        return "\(what): a value of \(largest.squareRoot()) is beyond \(scale)"
    }
    let mean = squares.reduce(0, +) / Double(squares.count), expected = scale * scale / (uniform ? 3 : 1)
    // The variance of the square is 4/45 s^4 for a uniform and 2 s^4 for a normal distribution.
    let deviation = scale * scale * ((uniform ? 4.0 / 45 : 2) / Double(squares.count)).squareRoot()
    return abs(mean - expected) <= 5 * deviation ? nil : "\(what): the mean square is \(mean), expected \(expected)"
}

/// Passed if no line reports a problem.
func outcome(_ lines: [String?]) -> CaseOutcome {
    let failures = lines.compactMap { $0 }
    guard let first = failures.first else { return .passed }
    return .failed(failures.count == 1 ? first : "\(first); and \(failures.count - 1) more arrays")
}
