import AnnealCore
import AnnealGraph
import Foundation

/// One pass over a model for two batch sizes.
struct ONNXTrace {
    /// The newest known version of ONNX's operator set.
    private static let newestOpset = 28

    private let importer: ONNXImporter
    private let file: ONNXFile
    private let opset: Int
    private let graph = ImportGraph()
    private let batches: [Int]
    /// The nodes that the output needs, in the file's order.
    private let nodes: [(number: Int, node: ONNXFile.Node)]
    /// One output, unless the graph is not a classifier.
    private let outputs: [ONNXFile.Port]
    private let uses: [String: Int]
    private let image: [Int]?
    private var values: [String: ImportedValue] = [:]
    private var folding: ConstantFolding
    private var problems: [String] = []
    private var notes: [String] = []

    init(_ importer: ONNXImporter, input: ONNXFile.Port, batches: [Int]) throws {
        self.importer = importer
        self.batches = batches
        file = importer.file
        opset = try file.opset
        folding = ConstantFolding(modelBytes: importer.modelBytes)
        guard opset >= 7 || importer.options.inputShape != nil else {
            throw AnnealError(
                "", "uses version \(opset) of ONNX's operators, of 2017",
                suggestion: "export it again, or convert it with onnx.version_converter to version 13",
                code: .unsupported)
        }
        guard file.sparseConstants == 0 else {
            throw AnnealError("", "has sparse constants, which are not read", code: .unsupported)
        }
        outputs = importer.options.inputShape == nil ? [try Self.output(file)] : file.outputs
        nodes = Self.needed(file, for: outputs.map(\.name))
        let given = outputs.map(\.name)
        uses = Dictionary(file.nodes.flatMap(\.inputs).map { ($0, 1) }, uniquingKeysWith: +)
        (image, values[input.name]) = try Self.data(input, importer.options, batches, graph)
        for constant in file.constants {
            // Read on demand: a file may contain constants that no node needs.
            guard uses[constant.name] != nil || given.contains(constant.name) else { continue }
            if values[constant.name] == nil {
                values[constant.name] = .constant(BatchConstant(try constant.array(importer.external)))
            }
        }
        for (name, array) in importer.options.inputs { values[name] = .constant(BatchConstant(array)) }
    }

    /// The first floating-point output.
    private static func output(_ file: ONNXFile) throws -> ONNXFile.Port {
        let candidates = file.outputs.filter { port in
            port.type.map { ONNXTensorRecord.elementType($0)?.isFloat == true } ?? true
        }
        guard let first = candidates.first ?? file.outputs.first else {
            throw AnnealError("", "has no output", code: .unsupported)
        }
        return first
    }

    /// The nodes that outputs need.
    private static func needed(_ file: ONNXFile, for outputs: [String]) -> [(number: Int, node: ONNXFile.Node)] {
        var producer: [String: Int] = [:]
        for (number, node) in file.nodes.enumerated() {
            for name in node.outputs where !name.isEmpty { producer[name] = producer[name] ?? number }
        }
        var needed = Set<Int>(), rest = outputs
        while let name = rest.popLast() {
            guard let number = producer[name], needed.insert(number).inserted else { continue }
            rest += file.nodes[number].inputs
        }
        return file.nodes.enumerated().filter { needed.contains($0.offset) }.map { ($0.offset, $0.element) }
    }

    /// The input's value and the shape of an image: (channels, height, width), whatever the file's order.
    private static func data(
        _ input: ONNXFile.Port, _ options: ImportOptions, _ batches: [Int], _ graph: ImportGraph
    ) throws -> (image: [Int]?, ImportedValue) {
        if let shape = options.inputShape {
            return (nil, .computed(graph.input("data", [Shape(shape), Shape(shape)]), order: nil))
        }
        let extents = input.extents ?? [nil, nil, nil, nil]
        guard extents.count == 4 else {
            throw AnnealError(
                "input \(input.name)", "has \(extents.count) axes",
                suggestion: "images are (batch, channels, height, width), or with the channels last", code: .unsupported
            )
        }
        func isChannels(_ extent: Int?) -> Bool { extent.map { [1, 3, 4].contains($0) } ?? false }
        let isLast = isChannels(extents[3]) && !isChannels(extents[1])
        let own = isLast ? [extents[3], extents[1], extents[2]] : Array(extents[1...])
        var image = own.compactMap { $0 }
        if let given = options.imageShape {
            if let channels = own[0], channels != given[0] {
                throw AnnealError(
                    "input \(input.name)", "has \(channels) channels, the image shape \(Shape(given)) \(given[0])",
                    suggestion: "give --image-shape \(channels),H,W", code: .mismatch)
            }
            image = given
        }
        guard image.count == 3, image.allSatisfy({ $0 <= 1 << 16 }) else {
            throw AnnealError(
                "input \(input.name)",
                "takes images of any shape: (\(extents.map { $0.map(String.init) ?? "?" }.joined(separator: ", ")))",
                suggestion: "give the shape that it was trained with, --image-shape C,H,W")
        }
        let stored = graph.input("data", batches.map { Shape([$0] + image) })
        return (image, .computed(stored, order: isLast ? [0, 2, 3, 1] : nil))
    }

    mutating func model() throws -> ImportedModel {
        for (number, node) in nodes { take(node, number) }
        guard problems.isEmpty else { throw refusal() }
        let site = ImportSite(
            node: ONNXFile.Node(), opset: opset, layer: "scores", inputs: [], uses: [], isFixedBatch: isFixedBatch,
            graph: graph)
        let scores = try outputs.map { port -> Stored in
            guard let value = values[port.name] else {
                throw AnnealError("output \(port.name)", "is computed by no node", code: .damaged)
            }
            guard case .computed(let stored, let order) = value else {
                throw AnnealError("output \(port.name)", "does not depend on the image", code: .unsupported)
            }
            return try site.transposed(stored, order)
        }
        if importer.options.inputShape == nil {
            // A shape written for one batch size gives rows that are not images.
            guard zip(scores[0].shapes, batches).allSatisfy({ $0.dims.first == $1 }) else {
                throw AnnealError(
                    "output \(outputs[0].name)", "has the shape \(scores[0].shape) for \(batches[0]) images",
                    suggestion: "a classifier's is (batch, classes); export it with a batch axis of any size",
                    code: .unsupported)
            }
        }
        let symbol =
            importer.options.inputShape != nil
            ? Symbol(scores.map(\.entry)) : try ClassifierEnd(graph, site).symbol(scores[0], outputs[0].name)
        try checkBatches(symbol)
        graph.keepParameters(of: symbol)
        if opset > Self.newestOpset {
            notes.append(
                "It uses version \(opset) of ONNX's operators, newer than \(Self.newestOpset): compare its scores with the original's"
            )
        }
        if file.outputs.count > outputs.count {
            notes.append("The model has \(file.outputs.count) outputs: \(outputs[0].name) is taken")
        }
        return ImportedModel(
            symbol: symbol, arguments: graph.arguments, auxiliary: graph.auxiliary, imageShape: image,
            images: ImportedModel.ImageRecord(metadata: file.metadata), notes: notes)
    }

    private var isFixedBatch: Bool { batches[0] == batches[1] && importer.options.inputShape == nil }

    /// A model for one batch size must have become one for any.
    private func checkBatches(_ symbol: Symbol) throws {
        guard isFixedBatch, let image else { return }
        for batch in 1...3 {
            let shape = try? symbol.inferShapes(["data": Shape([batch] + image)]).outputs[0]
            guard shape?.dims.first == batch else {
                throw AnnealError(
                    "", "computes \(batches[0].counted("image")) at a time only",
                    suggestion: "export it with a batch axis of any size", code: .unsupported)
            }
        }
    }

    // MARK: Nodes

    private mutating func take(_ node: ONNXFile.Node, _ number: Int) {
        func title() -> String { node.name.isEmpty ? "node \(number)" : node.name }
        do {
            let outputs = try outputs(node)
            guard let outputs else {
                for name in node.outputs { values[name] = .failed }
                return
            }
            for (name, value) in zip(node.outputs, outputs) where !name.isEmpty { values[name] = value }
            for name in node.outputs.dropFirst(outputs.count) where !name.isEmpty { values[name] = .failed }
        } catch {
            let why =
                (error as? AnnealError).map { $0.place.isEmpty ? $0.problem : "\($0.place): \($0.problem)" }
                ?? "\(error)"
            problems.append("\(title()) (\(Self.operation(node))): \(why)")
            for name in node.outputs { values[name] = .failed }
        }
    }

    private static func operation(_ node: ONNXFile.Node) -> String {
        node.domain.isEmpty ? node.type : "\(node.domain):\(node.type)"
    }

    /// nil if a node that it depends on failed.
    private mutating func outputs(_ node: ONNXFile.Node) throws -> [ImportedValue]? {
        guard node.domain.isEmpty else {
            throw AnnealError(
                "",
                file.functions.contains(node.type)
                    ? "is a function of the file" : "is of another domain than ONNX's own",
                code: .unsupported)
        }
        if node.type == "Constant" { return [.constant(BatchConstant(try constant(node)))] }
        guard
            OperatorImport.table[node.type] != nil || ConstantFolding.knows(node.type) || node.type == "Shape"
                || node.type == "Size"
        else {
            throw AnnealError("", "has no counterpart in MXNet that Anneal knows", code: .unsupported)
        }
        let inputs = try node.inputs.map { name -> ImportedValue? in
            guard !name.isEmpty else { return nil }
            guard let value = values[name] else {
                throw AnnealError("", "reads \(name), which no node before it computes", code: .damaged)
            }
            return value
        }
        if inputs.contains(where: { if case .failed? = $0 { true } else { false } }) { return nil }
        if let folded = try folded(node, inputs) { return folded }
        guard let convert = OperatorImport.table[node.type] else {
            throw AnnealError("", "is taken only where its inputs are constant", code: .unsupported)
        }
        // The second input is the weight in layers that have one.
        let weight = node.inputs.count > 1 && !node.inputs[1].isEmpty ? node.inputs[1] : nil
        let site = ImportSite(
            node: node, opset: opset, layer: ImportNames.layer(node, weight: weight), inputs: inputs,
            uses: node.inputs.map { uses[$0] ?? 0 }, isFixedBatch: isFixedBatch, graph: graph)
        return try convert(site)
    }

    /// The outputs of a node that does not depend on the image's pixels; nil for others.
    private mutating func folded(_ node: ONNXFile.Node, _ inputs: [ImportedValue?]) throws -> [ImportedValue]? {
        if node.type == "Shape" || node.type == "Size" {
            guard let shapes = inputs.first??.shapes else { return nil }
            let arrays = shapes.map { Self.shapeArray(node, $0) }
            return [.constant(BatchConstant(arrays[0], arrays[1]))]
        }
        guard ConstantFolding.knows(node.type) else { return nil }
        var constants: [BatchConstant?] = [], isFixed = true
        for (index, input) in inputs.enumerated() {
            switch input {
            case .constant(let constant)?:
                constants.append(constant)
                isFixed = isFixed && constant.fixed != nil
            // Only the type of its second input matters, and computed values are floating point.
            case .computed? where node.type == "CastLike" && index == 1:
                constants.append(BatchConstant(ModelArray([1], [0])))
            case .computed?, .failed?: return nil
            case nil: constants.append(nil)
            }
        }
        let first = try folding.outputs(node, opset: opset, constants.map { $0?.array(batch: 0) })
        if isFixed { return first.map { .constant(BatchConstant($0)) } }
        let second = try folding.outputs(node, opset: opset, constants.map { $0?.array(batch: 1) })
        return zip(first, second).map { .constant(BatchConstant($0, $1)) }
    }

    private static func shapeArray(_ node: ONNXFile.Node, _ shape: Shape) -> ModelArray {
        if node.type == "Size" { return ModelArray(shape: [], integers: [shape.count]) }
        func place(_ name: String, _ value: Int) -> Int {
            let given = node.attributes[name]?.integer ?? value
            return min(max(given < 0 ? max(given, -shape.rank) + shape.rank : given, 0), shape.rank)
        }
        let start = place("start", 0), end = max(start, place("end", shape.rank))
        let dims = Array(shape.dims[start..<end])
        return ModelArray(shape: [dims.count], integers: dims)
    }

    private func constant(_ node: ONNXFile.Node) throws -> ModelArray {
        if let tensor = node.attributes["value"]?.tensor { return try tensor.array(importer.external) }
        if let value = node.attributes["value_float"]?.float { return ModelArray([], [value]) }
        if let values = node.attributes["value_floats"]?.floats { return ModelArray([values.count], values) }
        if let value = node.attributes["value_int"]?.integer { return ModelArray(shape: [], integers: [value]) }
        if let values = node.attributes["value_ints"]?.integers {
            return ModelArray(shape: [values.count], integers: values)
        }
        throw AnnealError("", "holds neither a tensor nor numbers", code: .unsupported)
    }

    /// One error that lists each node that cannot be imported.
    private func refusal() -> AnnealError {
        let shown = problems.prefix(20).joined(separator: "; ")
        let more = problems.count > 20 ? "; and \(problems.count - 20) more" : ""
        return AnnealError(
            "", "\(problems.count.counted("node")) cannot be imported: \(shown)\(more)",
            suggestion: "networks of convolutions, and plain transformers such as ViT, can; Swin and MaxViT cannot",
            code: .unsupported)
    }
}
