import Anneal
import AnnealXLA

/// A network of the list, by a name such as resnet-50 or resnext-101@28, with the batch that it is compiled for.
struct CompiledNetwork {
    let batch: Int
    private let symbol: Symbol
    private let imageShape: [Int]

    init(_ text: String) throws {
        let parts = text.split(separator: "@"), size = parts.count > 1 ? Int(parts[1]) : nil
        var name = String(parts[0]), layers: Int?
        if !Networks.names.contains(name), let dash = name.lastIndex(of: "-") {
            layers = Int(name[name.index(after: dash)...])
            name = String(name[..<dash])
        }
        batch = size != nil || ["lenet", "mlp"].contains(name) ? 128 : 64
        let usual = Networks.usualImageShape(name)
        imageShape = size.map { [usual[0], $0, $0] } ?? usual
        // The article's ResNeXt-101 for small images has the layers of the one for large images.
        let isLarge = name == "resnext" && layers == 101
        symbol = try Networks.symbol(
            name,
            NetworkOptions(
                numClasses: size == nil ? 1000 : 10, imageShape: isLarge ? [3, 224, 224] : imageShape,
                numLayers: layers))
    }

    /// Weights of convolutions whose groups have several filters and channels.
    var groupedWeights: Int {
        get throws {
            let shapes = try symbol.inferShapes([ClassifierNetwork(symbol).dataName: Shape([batch] + imageShape)])
                .variables
            return try symbol.nodes.count { node in
                guard !node.isVariable, let op = try node.op as? Convolution, op.numGroup > 1,
                    let weight = shapes[node.inputs[1].node.name]
                else { return false }
                return weight[1] > 1 && op.numFilter > op.numGroup
            }
        }
    }

    /// A whole training step with SGD, or a forward pass, on 8-bit pixels.
    func program(_ mode: CompileRun.Mode, _ precision: ElementType) throws -> String {
        let network = try ClassifierNetwork(symbol)
        var inputs = [network.dataName: Shape([batch] + imageShape)]
        let scaling = PixelScaling(
            mean: Array(repeating: 128, count: imageShape[0]), factor: Array(repeating: 1 / 64, count: imageShape[0]))
        var request: PlanRequest
        if mode == .score {
            request = PlanRequest(.network(network.scoring, inputs: inputs, gradients: []), mode: .inference)
        } else {
            for label in try symbol.labelNames() { inputs[label] = try symbol.inferShapes(inputs).variables[label] }
            let arguments = try symbol.argumentNames()
            request = PlanRequest(
                .network(symbol, inputs: inputs, gradients: Set(arguments.filter { inputs[$0] == nil })),
                mode: .training)
            request.recomputation = mode == .recompute ? .full : .cheap
            var update = TrainingUpdate(SGD(momentum: 0.9))
            update.order = try arguments + symbol.auxiliaryNames()
            request.update = update
        }
        request.precision = precision
        return try StepText.module(
            request, phases: mode == .score ? .forward : [.forward, .backward, .check, .update],
            pixels: [network.dataName: scaling])
    }
}
