import Anneal
import Foundation

/// A folder with `model-symbol.json`, one `model-NNNN.params`, and `io.params`: a trained checkpoint, with inputs and
/// MXNet's outputs, each under its name (`data`, `prob1_output`).
///
/// Outputs must agree within 1e-4, relative to the value and to the largest one; also after Anneal has written the
/// model and read it again.
func checkStoredModel(folder: String, _ engine: CaseEngine) throws -> CaseOutcome {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    guard let file = files.first(where: { $0.hasPrefix("model-") && $0.hasSuffix(".params") }),
        let epoch = Int(file.dropFirst("model-".count).dropLast(".params".count))
    else { return .failed("there is no model-NNNN.params") }
    let model = try Checkpoint.load(prefix: folder + "/model", epoch: epoch)
    let arrays = Dictionary(
        try ParamsFile.read(folder + "/io.params").map { ($0.name, $0.tensor()) },
        uniquingKeysWith: { first, _ in first })
    let arguments = Set(try model.symbol.argumentNames())
    let inputs = arrays.filter { arguments.contains($0.key) }
    let outputs = arrays.filter { !arguments.contains($0.key) }.sorted { $0.key < $1.key }
    guard !outputs.isEmpty else { return .failed("io.params has no outputs") }

    let again = try writtenAndRead(model)
    var problems: [String] = []
    for (how, model) in [("as it is", model), ("written again", again)] {
        let wanted = Symbol.group(try outputs.map { try model.symbol.output(named: $0.key) })
        let executor = try Executor(wanted, inputs: inputs.mapValues(\.shape), mode: .inference, engine: engine.make())
        try model.restore(executor.parameters, place: "\(folder)/\(file)")
        for (name, value) in inputs { try executor.setInput(name, value) }
        try executor.forward()
        let tolerance = Tolerance(rtol: 1e-4, atolRelative: 1e-4, atol: 0)
        for (index, (name, expected)) in outputs.enumerated() {
            let found = try executor.output(index)
            if found.shape != expected.shape {
                problems.append("\(name), \(how): shape \(found.shape), expected \(expected.shape)")
            } else if let problem = tolerance.mismatch("\(name), \(how)", found.elements, expected.elements) {
                problems.append(problem)
            }
        }
    }
    return problems.isEmpty ? .passed : .failed(problems.joined(separator: "\n"))
}

private func writtenAndRead(_ model: Checkpoint) throws -> Checkpoint {
    let prefix = NSTemporaryDirectory() + "anneal-model-" + UUID().uuidString
    let paths = [Checkpoint.symbolPath(prefix), Checkpoint.parametersPath(prefix, 1)]
    defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
    try Files.writeAtomically(Data(try model.symbol.json().utf8), to: paths[0])
    let arrays =
        model.arguments.map { StoredArray(name: "arg:\($0.key)", $0.value) }
        + model.auxiliary.map { StoredArray(name: "aux:\($0.key)", $0.value) }
    try ParamsFile.write(arrays, to: paths[1])
    return try Checkpoint.load(prefix: prefix, epoch: 1)
}
