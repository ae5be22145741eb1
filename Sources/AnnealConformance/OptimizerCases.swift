import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealTrain
import Foundation

/// Runs a golden optimizer case with the library's `Optimizer`, all parameters in one step as in training.
func checkOptimizer(_ folder: String, _ json: [String: Any], engine: any Engine) throws -> CaseOutcome {
    let fields = CaseFields(json: json)
    let arrays = try CaseArrays(folder)
    let names: [String] = try fields.get("names")
    let name: String = try fields.get("optimizer")
    var kwargs = json["kwargs"] as? [String: Any] ?? [:]
    // The operator adamw_update has other names, and does not know parameters' names: all of them decay.
    let isOperator = kwargs["lr"] != nil
    if let rate = kwargs.removeValue(forKey: "lr") { kwargs["learning_rate"] = rate }
    // MXNet's cases update the parameters one by one.
    if name == "lars" { kwargs["corrected_parameters"] = 1 }
    var options = try NamedOptions(json: kwargs)

    let half = (json["dtype"] as? String ?? "float32") == "float16"
    if half, kwargs["multi_precision"] as? Bool != true { return .skipped("float16 without master weights") }

    var schedule: (any LearningRateSchedule)?
    if let object = json["lr_scheduler"] as? [String: Any] {
        let inner = CaseFields(json: object)
        var scheduleOptions = try inner.options()
        let type: String = try inner.get("class")
        schedule = try Schedules.make(type, reading: &scheduleOptions)
        guard schedule != nil else { return .skipped("schedule \(type)") }
        guard scheduleOptions.unused.isEmpty else {
            return .skipped("\(type): \(scheduleOptions.unused.joined(separator: ", "))")
        }
    }
    var multipliers = Multipliers()
    if isOperator { for name in names { multipliers.weightDecay[name] = 1 } }
    if let file = json["symbol"] as? String {
        multipliers = try Multipliers(symbol: try Symbol.load("\(folder)/\(file)"))
    }
    multipliers = multipliers.merging(
        Multipliers(
            learningRate: try fields.numberTable("lr_mult"), weightDecay: try fields.numberTable("wd_mult")))
    guard
        let optimizer = try Optimizers.make(name, reading: &options, schedule: schedule, multipliers: multipliers)
    else { return .skipped("optimizer \(name)") }
    guard options.unused.isEmpty else {
        return .skipped("optimizer \(name): \(options.unused.joined(separator: ", "))")
    }
    return try compare(optimizer, names, arrays, json, half: half, engine)
}

private func compare(
    _ optimizer: Optimizer, _ names: [String], _ arrays: CaseArrays, _ json: [String: Any], half: Bool,
    _ engine: any Engine
) throws -> CaseOutcome {
    let fields = CaseFields(json: json), tolerance = Tolerance(json: json)
    let model = try OptimizedParameters(
        optimizer, names.map { ($0, try arrays.tensor("weight:\($0)")) }, engine: engine)
    for step in 1...max(1, try fields.get("steps", NSNumber.self).intValue) {
        try model.step(try names.map { try arrays.tensor("grad:\(step):\($0)") })
        let lines = try names.map { name in
            let key = "after:\(step):\(name)"
            return tolerance.mismatch(key, try model.value(name).elements, try arrays.tensor(key).elements)
        }
        let result = outcome(lines)
        guard result == .passed else { return result }
    }
    var lines: [String?] = []
    for number in try fields.integers("states") {
        for name in names {
            let key = "state:\(number):\(name)"
            guard arrays.contains(key) else { continue }
            let expected = try arrays.tensor(key)
            // MXNet's float16 training keeps the master weights as the last state.
            let master = half && number == optimizer.rule.stateCount
            guard let values = try master ? model.value(name) : model.state(name, number) else {
                lines.append("\(key): there is no such state")
                continue
            }
            // GroupAdaGrad's state is one number per row, repeated in each of its elements here.
            let stride = max(1, values.count / max(1, expected.count))
            let kept = Swift.stride(from: 0, to: values.count, by: stride).map { values.elements[$0] }
            lines.append(tolerance.mismatch(key, kept, expected.elements))
        }
    }
    return outcome(lines)
}
