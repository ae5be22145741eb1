import Anneal
import AnnealConformance
import Foundation

/// Imports a case, compares Anneal's results with the expected ones, and writes the model back to ONNX with this
/// engine's outputs, for ONNX Runtime to reproduce.
func importCase(_ path: String, in folder: String) throws {
    let imported = ImportedCase(path)
    var target = CaseFolder(folder)
    let content = try imported.content()
    if let problem = try imported.problem(content) { throw AnnealError(imported.name, problem) }
    let shape = content.input.shape
    var options = ONNXModel.Options()
    options.ending = content.isProbabilities ? .probabilities : .logits
    let checkpoint = content.model.checkpoint()
    let parameters = checkpoint.arguments.merging(checkpoint.auxiliary) { first, _ in first }
    let model = try ONNXModel(checkpoint.symbol, parameters: parameters, inputs: ["data": shape], options: options)
    try target.add(
        model, name: "model", inputs: ["data": target.write(content.input)], outputs: [target.write(content.found)],
        anyBatchSize: true)
    // The exported model is imported again.
    let again = Files.path(folder, "model.onnx")
    let back = try ForeignModel(again)
    let executor = try Executor(
        content.isProbabilities ? back.symbol : back.symbol.endingInLogits(), inputs: ["data": shape], mode: .inference)
    try back.checkpoint().restore(executor.parameters, place: again)
    try executor.setInput("data", content.input)
    try executor.forward()
    let tolerance = Tolerance(rtol: 1e-4, atolRelative: 1e-4, atol: 1e-7)
    if let problem = try tolerance.mismatch(
        "imported again", executor.output().elements, content.found.elements)
    {
        throw AnnealError(imported.name, problem)
    }
    try target.finish()
}
