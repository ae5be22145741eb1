import Anneal
import AnnealConformance
import AnnealImport
import Foundation

/// ONNX's own tests, `onnx/backend/test/data` of its wheel: folders with `model.onnx` and sets of inputs and outputs.
///
/// Most test a single operator whose weights, axes and shapes are inputs of the graph: the first input is taken as the
/// data and the others as constants. Outputs must agree as ONNX requires: |x - r| <= 1e-3 |r| + 1e-7.
struct ONNXSuite {
    private enum Outcome {
        case passed
        case refused(String)
        case failed(String)
    }

    private struct Row {
        var passed = 0
        var refused: [String: Int] = [:]
        var failed: [String] = []
    }

    private let root: String
    private let part: String?
    private static let tolerance = Tolerance(rtol: 1e-3, atolRelative: 0, atol: 1e-7)

    init(_ root: String, part: String?) { (self.root, self.part) = (root, part) }

    func run() throws {
        var rows: [String: Row] = [:]
        for kind in ["node", "simple", "pytorch-converted", "pytorch-operator"] {
            for name in (try? Files.names(in: Files.path(root, kind))) ?? [] {
                if let part, !name.contains(part) { continue }
                let folder = Files.path(Files.path(root, kind), name)
                let model = Files.path(folder, "model.onnx")
                guard Files.exists(model), let operators = try? ONNXFile.operators(of: Files.read(model)) else {
                    continue
                }
                let title = kind == "node" ? operators.last ?? "none" : kind
                let outcome = outcome(folder)
                switch outcome {
                case .passed: rows[title, default: Row()].passed += 1
                case .refused(let why): rows[title, default: Row()].refused[why, default: 0] += 1
                case .failed(let why): rows[title, default: Row()].failed.append("\(name): \(why)")
                }
                if part != nil { print(name, outcome) }
            }
        }
        print(Self.table(rows))
        let failed = rows.values.flatMap(\.failed)
        for line in failed { print("failed \(line)") }
        let passed = rows.values.map(\.passed).reduce(0, +)
        let refused = rows.values.flatMap { $0.refused.values }.reduce(0, +)
        print("\(passed) passed, \(failed.count) failed, \(refused) refused")
        if !failed.isEmpty || passed == 0 { throw AnnealError(root, "ONNX's tests do not pass") }
    }

    private static func table(_ rows: [String: Row]) -> String {
        // Operators that are always refused are listed in one line.
        let taken = rows.filter { $0.value.passed > 0 || !$0.value.failed.isEmpty }.sorted { $0.key < $1.key }
        let lines = taken.map { name, row in
            let reasons = row.refused.sorted { $0.key < $1.key }.map { "\($0.value): \($0.key)" }.joined(
                separator: "; ")
            let refused = row.refused.values.reduce(0, +)
            return "| \(name) | \(row.passed) | \(row.failed.count) | \(refused) | \(reasons) |"
        }
        let never = rows.filter { $0.value.passed == 0 && $0.value.failed.isEmpty }
        let count = never.values.flatMap { $0.refused.values }.reduce(0, +)
        return """
            | Operator | Passed | Failed | Refused | Why |
            |---|---|---|---|---|
            \(lines.joined(separator: "\n"))

            Refused altogether (\(count) tests): \(never.keys.sorted().joined(separator: ", ")).
            """
    }

    private func outcome(_ folder: String) -> Outcome {
        do {
            let data = try Files.read(Files.path(folder, "model.onnx"))
            let ports = try ONNXFile.inputs(of: data)
            guard ports.allSatisfy({ $0.type != nil }) else { return .refused("inputs that are no tensors of numbers") }
            let names = ports.map(\.name)
            let set = Files.path(folder, "test_data_set_0")
            let inputs = try arrays(set, "input")
            guard let first = names.first, let input = inputs.first, inputs.count <= names.count else {
                return .refused("no input")
            }
            guard input.type.isFloat else { return .refused("data of whole numbers, booleans or text") }
            guard input.rank > 0 else { return .refused("data without axes") }
            guard input.count > 0 else { return .refused("empty data") }
            var options = ImportOptions()
            options.inputShape = input.shape
            for (name, array) in zip(names, inputs).dropFirst() { options.inputs[name] = array }
            let model: ImportedModel
            do {
                model = try ONNXImporter(data, path: nil, options: options).model()
            } catch let error as AnnealError where error.code == .unsupported {
                return .refused(Self.reason(error))
            }
            return try compared(model, input, try arrays(set, "output"), first)
        } catch {
            return .failed("\(error)")
        }
    }

    private func compared(
        _ model: ImportedModel, _ input: ModelArray, _ expected: [ModelArray], _ name: String
    ) throws -> Outcome {
        let executor = try Executor(model.symbol, inputs: ["data": Shape(input.shape)], mode: .inference)
        let checkpoint = Checkpoint(
            symbol: model.symbol, arguments: model.arguments.mapValues(\.tensor),
            auxiliary: model.auxiliary.mapValues(\.tensor))
        try checkpoint.restore(executor.parameters, place: name)
        try executor.setInput("data", input.tensor)
        try executor.forward()
        for (index, reference) in expected.enumerated() where index < model.symbol.outputs.count {
            let found = try executor.output(index)
            guard found.shape.dims == reference.shape else {
                return .failed("shape \(found.shape), expected \(Shape(reference.shape))")
            }
            // Values that ONNX rounds to narrower types are computed in float32.
            var tolerance = Self.tolerance
            if reference.type == .bfloat16 { tolerance.rtol = 0x1p-8 }
            if let problem = tolerance.mismatch("output", found.elements, reference.floats) {
                return .failed(problem)
            }
        }
        return .passed
    }

    /// `input_0.pb`, `input_1.pb` and so on.
    private func arrays(_ folder: String, _ kind: String) throws -> [ModelArray] {
        var arrays: [ModelArray] = []
        while Files.exists(Files.path(folder, "\(kind)_\(arrays.count).pb")) {
            arrays.append(try ONNXTensorFile.read(Files.path(folder, "\(kind)_\(arrays.count).pb")))
        }
        return arrays
    }

    /// The reason without the node's name and numbers, so that equal reasons are counted together.
    private static func reason(_ error: AnnealError) -> String {
        // The operator without a counterpart is what matters.
        if let found = error.problem.firstMatch(of: #/\(([^()]+)\): has no counterpart/#) {
            return "\(found.output.1) has no counterpart"
        }
        let text = error.problem.replacing(#/^\d+ nodes? cannot be imported: /#, with: "")
            .replacing(#/^[^(]*\([^)]*\): /#, with: "")
        let first = text.split(separator: ";").first.map(String.init) ?? text
        return first.replacing(#/[-\d][-\d.e]*/#, with: "n").replacing("|", with: "/")
    }
}
