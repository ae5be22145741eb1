import AnnealCore
import AnnealGraph
import AnnealTrain
import Foundation

/// Steps through a golden optimizer case with the library's `Optimizer`, all parameters in one step as a run does.
func checkOptimizer(_ folder: String, _ json: [String: Any]) throws -> CaseOutcome {
    let fields = CaseFields(json: json)
    let arrays = try CaseArrays(folder)
    let names: [String] = try fields.get("names")
    let name: String = try fields.get("optimizer")
    var kwargs = json["kwargs"] as? [String: Any] ?? [:]
    // The operator adamw_update has other names, and knows nothing of parameters' names: all of them decay.
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
    return try compare(optimizer, names, arrays, json, half: half)
}

private func compare(
    _ optimizer: Optimizer, _ names: [String], _ arrays: CaseArrays, _ json: [String: Any], half: Bool
) throws -> CaseOutcome {
    let fields = CaseFields(json: json), tolerance = Tolerance(json: json)
    let model = try CaseParameters(names, arrays)
    for step in 1...max(1, try fields.get("steps", NSNumber.self).intValue) {
        for (index, name) in names.enumerated() {
            try model.setGradient(index, try arrays.tensor("grad:\(step):\(name)"))
        }
        try optimizer.step(model.parameters)
        let lines = try names.indices.map { index in
            tolerance.mismatch(
                "after:\(step):\(names[index])", model.weights(index),
                try arrays.tensor("after:\(step):\(names[index])").elements)
        }
        let result = outcome(lines)
        guard result == .passed else { return result }
    }
    var lines: [String?] = []
    let states = Dictionary(uniqueKeysWithValues: optimizer.stateArrays().map { ($0.name, $0.values) })
    for number in try fields.integers("states") {
        for (index, name) in names.enumerated() {
            let key = "state:\(number):\(name)"
            guard arrays.contains(key) else { continue }
            let expected = try arrays.tensor(key)
            // MXNet's float16 training keeps the master weights as the last state.
            let master = half && number == optimizer.rule.stateCount
            guard let values = master ? model.weights(index) : states["\(name):\(number)"] else {
                lines.append("\(key): there is no such state")
                continue
            }
            // GroupAdaGrad's state is one number a row, in each of its elements here.
            let stride = max(1, values.count / max(1, expected.count))
            let kept = Swift.stride(from: 0, to: values.count, by: stride).map { values[$0] }
            lines.append(tolerance.mismatch(key, kept, expected.elements))
        }
    }
    return outcome(lines)
}

/// Parameters in memory of their own, as an executor's arena would hold them.
final class CaseParameters {
    private(set) var parameters: [OptimizedParameter] = []
    private var gradients: [UnsafeMutablePointer<Float>] = []

    init(_ names: [String], _ arrays: CaseArrays) throws {
        for name in names {
            let tensor = try arrays.tensor("weight:\(name)")
            let weight = UnsafeMutablePointer<Float>.allocate(capacity: tensor.count)
            weight.initialize(from: tensor.elements, count: tensor.count)
            let gradient = UnsafeMutablePointer<Float>.allocate(capacity: tensor.count)
            gradient.initialize(repeating: 0, count: tensor.count)
            gradients.append(gradient)
            parameters.append(
                OptimizedParameter(
                    name: name, count: tensor.count, weight: weight, gradient: gradient,
                    rowLength: tensor.shape.rank > 0 ? tensor.count / max(1, tensor.shape[0]) : nil))
        }
    }

    deinit {
        for parameter in parameters { parameter.weight.deallocate() }
        for gradient in gradients { gradient.deallocate() }
    }

    func setGradient(_ index: Int, _ tensor: Tensor) throws {
        guard tensor.count == parameters[index].count else {
            throw AnnealError("io.params", "a gradient of \(parameters[index].name) has another size than the weight")
        }
        gradients[index].update(from: tensor.elements, count: tensor.count)
    }

    func weights(_ index: Int) -> [Float] {
        Array(UnsafeBufferPointer(start: parameters[index].weight, count: parameters[index].count))
    }
}
