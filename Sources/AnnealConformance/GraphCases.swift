import Anneal
import Foundation

/// Cases of graphs and of parameter files; nil for other kinds.
func checkGraphCase(kind: String, folder: String, json: [String: Any]) throws -> CaseOutcome? {
    switch kind {
    case "structure": return try checkStructure(folder: folder, json: json)
    case "finetune": return try checkFineTune(folder: folder, json: json)
    case "params": return try checkParameterFiles(folder: folder, json: json)
    default: return nil
    }
}

/// Checks of a graph without computing: names, shapes, types, attributes, and that it is written byte for byte as by
/// MXNet, both when read from MXNet's file and when built by Anneal's network of that name. For kinds `structure`,
/// `network`, `procedural`, `legacy` and `op`.
func checkStructure(folder: String, json: [String: Any]) throws -> CaseOutcome {
    if let unknown = try unknownOperator(folder + "/net-symbol.json") { return .skipped("operator \(unknown)") }
    let symbol = try Symbol.load(folder + "/net-symbol.json")
    var problems = try graphProblems(symbol, json)
    let upgraded = folder + "/upgraded-symbol.json"
    problems += try textProblems(
        try symbol.json(), path: Files.exists(upgraded) ? upgraded : folder + "/net-symbol.json",
        "read and written again")
    if let attributes = json["attr_dict"] as? [String: [String: String]] {
        let found = Dictionary(
            symbol.nodes.filter { !$0.attributes.isEmpty }.map { ($0.name, $0.attributes) },
            uniquingKeysWith: { first, _ in first })
        for name in Set(found.keys).union(attributes.keys).sorted() where found[name] != attributes[name] {
            problems.append("attributes of \(name): \(found[name] ?? [:]) where MXNet has \(attributes[name] ?? [:])")
        }
    }
    if let network = json["network"] as? String, let arguments = json["get_symbol"] as? [String: Any] {
        let built = try Networks.symbol(network, NetworkOptions(arguments: arguments))
        problems += try textProblems(try built.json(), path: folder + "/net-symbol.json", "built by Anneal")
    }
    return problems.isEmpty ? .passed : .failed(problems.joined(separator: "\n"))
}

private func checkFineTune(folder: String, json: [String: Any]) throws -> CaseOutcome {
    let source = try Symbol.load(folder + "/source-symbol.json")
    var problems = try textProblems(try source.json(), path: folder + "/source-symbol.json", "read and written again")
    if let network = json["network"] as? String, let arguments = json["get_symbol"] as? [String: Any] {
        let built = try Networks.symbol(network, NetworkOptions(arguments: arguments))
        problems += try textProblems(try built.json(), path: folder + "/source-symbol.json", "built by Anneal")
    }
    let layer = json["layer_before_fullc"] as? String ?? "flatten0"
    let net = try source.withNewHead(numClasses: json["num_classes"] as? Int ?? 0, layerBeforeFullc: layer)
    problems += try textProblems(try net.json(), path: folder + "/net-symbol.json", "with its new head")
    problems += try graphProblems(net, json)
    let data = Set((json["inputs"] as? [String: Any] ?? [:]).keys)
    let stored = try source.argumentNames().filter { !data.contains($0) }
    let taken = try FineTune.parametersTakenOver(stored, by: net, rule: .mxnet)
    problems += listProblems("parameters taken over", taken, json["parameters_taken_over"])
    problems += listProblems(
        "parameters initialised", try net.argumentNames().filter { !data.contains($0) && !taken.contains($0) },
        json["parameters_initialised"])
    return problems.isEmpty ? .passed : .failed(problems.joined(separator: "\n"))
}

/// Names, shapes and types against those of case.json, as far as it lists them.
private func graphProblems(_ symbol: Symbol, _ json: [String: Any]) throws -> [String] {
    let arguments = try symbol.argumentNames(), auxiliary = try symbol.auxiliaryNames()
    var problems = listProblems("arguments", arguments, json["arguments"])
    problems += listProblems("auxiliary states", auxiliary, json["auxiliary"])
    problems += listProblems("outputs", try symbol.outputNames(), json["output_names"])
    if let inputs = json["inputs"] as? [String: [Int]], json["output_shapes"] != nil || json["argument_shapes"] != nil {
        let shapes = try symbol.inferShapes(inputs.mapValues { Shape($0) })
        func texts(_ shapes: [Shape?]) -> [String] { shapes.map { $0.map(\.description) ?? "?" } }
        func texts(_ key: String) -> [String]? { (json[key] as? [[Int]])?.map { Shape($0).description } }
        problems += listProblems(
            "argument shapes", texts(arguments.map { shapes.variables[$0] }), texts("argument_shapes"))
        problems += listProblems(
            "auxiliary shapes", texts(auxiliary.map { shapes.variables[$0] }), texts("auxiliary_shapes"))
        problems += listProblems("output shapes", texts(shapes.outputs), texts("output_shapes"))
    }
    if let types = json["argument_types"] {
        let found = try symbol.inferTypes()
        problems += listProblems("argument types", arguments.map { found[$0] ?? "?" }, types)
    }
    return problems
}

/// The first element that differs; nothing if case.json has no such list.
private func listProblems(_ what: String, _ found: [String], _ expected: Any?) -> [String] {
    guard let expected = expected as? [String], expected != found else { return [] }
    let index = zip(found, expected).enumerated().first { $1.0 != $1.1 }?.offset ?? min(found.count, expected.count)
    func text(_ list: [String]) -> String { index < list.count ? list[index] : "none" }
    return [
        "\(what): number \(index) is \(text(found)) where MXNet has \(text(expected)), of \(found.count) and \(expected.count)"
    ]
}

/// The first line that differs.
private func textProblems(_ found: String, path: String, _ how: String) throws -> [String] {
    let expected = String(decoding: try Files.read(path), as: UTF8.self)
    guard found != expected else { return [] }
    let lines = found.split(separator: "\n", omittingEmptySubsequences: false)
    let wanted = expected.split(separator: "\n", omittingEmptySubsequences: false)
    let index = zip(lines, wanted).enumerated().first { $1.0 != $1.1 }?.offset ?? min(lines.count, wanted.count)
    func text(_ lines: [Substring]) -> Substring { index < lines.count ? lines[index] : "the end" }
    return ["JSON \(how): line \(index + 1) is '\(text(lines))' where MXNet has '\(text(wanted))'"]
}

private func unknownOperator(_ path: String) throws -> String? {
    guard let root = try JSONSerialization.jsonObject(with: Files.read(path)) as? [String: Any],
        let nodes = root["nodes"] as? [[String: Any]]
    else { return nil }
    let operators = Set(nodes.compactMap { $0["op"] as? String }).subtracting(["null"])
    return operators.filter { OperatorRegistry.canonicalName($0) == nil }.sorted().first
}
