import Anneal
import Foundation

/// Kinds `op`, `legacy` and `network`: both modes, gradients, auxiliary states, and one SGD step.
func checkOperatorCase(_ item: Case) throws -> CaseOutcome? {
    guard ["op", "legacy", "network"].contains(item.kind) else { return nil }
    let unknown = try item.unknownOperators()
    guard unknown.isEmpty else { return .skipped("no operator \(unknown.joined(separator: ", "))") }
    let symbol = try item.symbol(), io = try item.arrays("io.params"), stored = try item.arrays("net-0000.params")
    let shapes = item.inputShapes
    var problems: [String] = []
    func compare(_ name: String, _ found: Tensor?, _ expected: Tensor?, _ tolerance: Tolerance) {
        guard let expected else { return problems.append("\(name): not in io.params") }
        guard let found else { return problems.append("\(name): Anneal gives none") }
        if found.shape != expected.shape {
            problems.append("\(name): shape \(found.shape), expected \(expected.shape)")
        }
        if let problem = tolerance.mismatch(name, found.elements, expected.elements) { problems.append(problem) }
    }
    func load(_ executor: Executor) throws {
        for name in executor.parameters.names {
            guard let value = stored["arg:\(name)"] ?? stored["aux:\(name)"] ?? io[name] else {
                throw AnnealError(item.folder, "has no value of \(name)")
            }
            try executor.parameters.set(name, value)
        }
        for name in shapes.keys { if let value = io[name] { try executor.setInput(name, value) } }
    }

    let forward = try item.tolerance("forward")
    // The cases contain MXNet's results, including its bugs.
    let engine = try item.engine.make(reproducesMXNetDefects: true)
    let inference = try Executor(
        symbol, inputs: shapes, mode: .inference, engine: engine)
    try load(inference)
    try inference.forward()
    for (index, name) in item.strings("infer_outputs").enumerated() {
        compare(name, try inference.output(index), io[name], forward)
    }

    guard !item.strings("outputs").isEmpty || !item.strings("grads").isEmpty else {
        return problems.isEmpty ? .passed : .failed(problems.joined(separator: "\n"))
    }
    let norms = item.json["grad_l2"] as? [String: Double] ?? [:]
    let inputs = Set(shapes.keys)
    let parameters = Set(try symbol.argumentNames()).subtracting(inputs)
    let training = try Executor(
        symbol, inputs: shapes, mode: .training, gradients: parameters.union(item.strings("grads")).union(norms.keys),
        engine: engine)
    try load(training)
    for (index, name) in item.strings("heads").enumerated() {
        if let head = io[name], training.input("head:\(index)") != nil { try training.setInput("head:\(index)", head) }
    }
    try training.forward()
    for (index, name) in item.strings("outputs").enumerated() {
        compare(name, try training.output(index), io[name], forward)
    }
    try training.backward()
    if !item.strings("grads").isEmpty {
        let backward = try item.tolerance("backward")
        for name in item.strings("grads") {
            // A parameter that no output depends on has a gradient of zero.
            let zero = io["grad:\(name)"].map { Tensor($0.shape) }
            compare("grad:\(name)", try training.gradient(name) ?? zero, io["grad:\(name)"], backward)
        }
    }
    for (name, norm) in norms.sorted(by: { $0.key < $1.key }) {
        let values = try training.gradient(name)?.elements ?? []
        let found = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        if let problem = try item.tolerance("grad_l2").mismatch("norm of grad:\(name)", [found], [norm]) {
            problems.append(problem)
        }
    }
    for name in item.strings("aux_after") {
        compare("aux_after:\(name)", try training.parameters.tensor(name), io["aux_after:\(name)"], forward)
    }
    for name in item.strings("arg_after") {
        compare("arg_after:\(name)", try training.parameters.tensor(name), io["arg_after:\(name)"], forward)
    }
    if let sgd = item.json["sgd"] as? [String: Any] {
        try oneStep(training, sgd, try Multipliers(symbol: symbol))
        for name in item.strings("after") {
            compare(
                "after:\(name)", try training.parameters.tensor(name), io["after:\(name)"], try item.tolerance("after"))
        }
    }
    return problems.isEmpty ? .passed : .failed(problems.joined(separator: "\n"))
}

/// Kind `procedural`: parameters and inputs follow from a formula; the outputs and statistics of inner layers are
/// stored.
func checkProceduralCase(_ item: Case) throws -> CaseOutcome? {
    guard item.kind == "procedural" else { return nil }
    let unknown = try item.unknownOperators()
    guard unknown.isEmpty else { return .skipped("no operator \(unknown.joined(separator: ", "))") }
    let symbol = try item.symbol(), io = try item.arrays("io.params"), tolerance = try item.tolerance("forward")
    let statistics = item.json["infer_internals"] as? [String: [String: Any]] ?? [:]
    let wanted = item.strings("infer_outputs")
    // An infer:NAME other than outN is an inner layer's output.
    let inner =
        statistics.keys.sorted()
        + wanted.map { String($0.dropFirst("infer:".count)) }.filter { $0.hasSuffix("_output") }
    let names = Array(Set(inner)).sorted()
    let all = Symbol.group([symbol] + (try names.map { try symbol.output(named: $0) }))
    let executor = try Executor(all, inputs: item.inputShapes, mode: .inference, engine: item.engine.make())
    let formula = Procedural(item, labels: try symbol.labelNames())
    for name in executor.parameters.names {
        guard let shape = executor.parameters.shape(name) else { continue }
        try executor.parameters.set(name, formula.tensor(name, shape))
    }
    for (name, shape) in item.inputShapes { try executor.setInput(name, formula.tensor(name, shape)) }
    try executor.forward()
    var problems: [String] = []
    func output(_ name: String) throws -> Tensor? {
        if let index = names.firstIndex(of: name) { return try executor.output(symbol.outputs.count + index) }
        return Int(name.dropFirst("out".count)).flatMap { try? executor.output($0) }
    }
    for name in wanted {
        guard let expected = io[name], let found = try output(String(name.dropFirst("infer:".count))) else {
            problems.append("\(name): missing")
            continue
        }
        if let problem = tolerance.mismatch(name, found.elements, expected.elements) { problems.append(problem) }
    }
    for (name, expected) in statistics.sorted(by: { $0.key < $1.key }) {
        guard let found = try output(name) else { continue }
        let values = found.elements.map(Double.init)
        func number(_ key: String) -> Double { (expected[key] as? NSNumber)?.doubleValue ?? 0 }
        let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let scale = max(abs(number("max")), 1e-30)
        if found.shape.dims != expected["shape"] as? [Int] { problems.append("\(name): shape \(found.shape)") }
        // Means cancel: their error is that of the values.
        let loose = Tolerance(
            rtol: tolerance.rtol, atolRelative: 0,
            atol: (tolerance.rtol + tolerance.atolRelative) * scale + tolerance.atol)
        let first = (expected["first"] as? [NSNumber] ?? []).map(\.doubleValue)
        let problem =
            loose.mismatch("\(name) mean", [values.reduce(0, +) / Double(values.count)], [number("mean")])
            ?? Tolerance(rtol: tolerance.rtol + tolerance.atolRelative, atolRelative: 0, atol: tolerance.atol).mismatch(
                "\(name) norm", [norm], [number("l2")])
            ?? loose.mismatch("\(name) max", [values.max() ?? 0], [number("max")])
            ?? loose.mismatch("\(name) first", Array(values.prefix(first.count)), first)
        if let problem { problems.append(problem) }
    }
    return problems.isEmpty ? .passed : .failed(problems.joined(separator: "\n"))
}

/// The formula of procedural cases.
public struct Procedural {
    private let salt: String
    private let gammaRange: [Double]
    private let classes: Int
    private let labels: Set<String>

    /// - Parameter labels: the variables that hold class numbers.
    public init(salt: String, gammaRange: [Double] = [0.5, 1.5], classes: Int = 10, labels: [String] = []) {
        self.salt = salt
        self.gammaRange = gammaRange
        self.classes = classes
        self.labels = Set(labels)
    }

    init(_ item: Case, labels: [String]) {
        self.init(
            salt: item.json["salt"] as? String ?? "",
            gammaRange: item.json["gamma_range"] as? [Double] ?? [0.5, 1.5],
            classes: (item.json["output_shapes"] as? [[Int]])?.first?.last ?? 10, labels: labels)
    }

    public func tensor(_ name: String, _ shape: Shape) -> Tensor {
        var h: UInt32 = 0x811c_9dc5
        for byte in "\(salt)/\(name)".utf8 { h = (h ^ UInt32(byte)) &* 0x0100_0193 }
        let bound = (6 / Double(max(1, shape.dims.dropFirst().reduce(1, *)))).squareRoot()
        let (low, high): (Double, Double) =
            if name.hasSuffix("weight") { (-bound, bound) } else if name.hasSuffix("gamma") {
                (gammaRange[0], gammaRange[1])
            } else if name.hasSuffix("moving_var") { (0.5, 1.5) } else if name == "data" { (-1, 1) } else {
                (-0.1, 0.1)
            }
        return Tensor(
            shape,
            (0..<shape.count).map { i in
                var x = UInt32(truncatingIfNeeded: i) &* 2_654_435_761 &+ h
                x ^= x >> 16
                x = x &* 0x85eb_ca6b
                x ^= x >> 13
                x = x &* 0xc2b2_ae35
                x ^= x >> 16
                let u = Double(x >> 8) * 0x1p-24
                return labels.contains(name)
                    ? Float((u * Double(classes)).rounded(.down)) : Float(low + (high - low) * u)
            })
    }
}

/// One update of MXNet's SGD with its rules for weight decay and the symbol's own multipliers; the momentum is zero
/// before it.
private func oneStep(_ executor: Executor, _ settings: [String: Any], _ multipliers: Multipliers) throws {
    func number(_ key: String) -> Float { Float((settings[key] as? NSNumber)?.doubleValue ?? 0) }
    for name in executor.parameters.names where !executor.parameters.isAuxiliary(name) {
        guard let gradient = try executor.gradient(name) else { continue }
        var weight = try executor.parameters.tensor(name)
        let decays = name.hasSuffix("_weight") || name.hasSuffix("_gamma")
        let decay = number("wd") * Float(multipliers.weightDecay[name] ?? (decays ? 1 : 0))
        let rate = number("learning_rate") * Float(multipliers.learningRate[name] ?? 1)
        for i in weight.elements.indices {
            weight.elements[i] -=
                rate * (gradient.elements[i] * number("rescale_grad") + decay * weight.elements[i])
        }
        try executor.parameters.set(name, weight)
    }
}
