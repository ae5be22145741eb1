import AnnealCore
import AnnealGraph

/// The end that training requires: scores of shape (batch, classes), and a `SoftmaxOutput` in place of a softmax.
struct ClassifierEnd {
    private let graph: ImportGraph
    private let site: ImportSite

    init(_ graph: ImportGraph, _ site: ImportSite) { (self.graph, self.site) = (graph, site) }

    func symbol(_ output: Stored, _ name: String) throws -> Symbol {
        var scores = output
        // The model zoo of 2018 has classes along the channels of one pixel.
        if scores.rank > 2, scores.shape.dims.dropFirst(2).allSatisfy({ $0 == 1 }) {
            scores = try site.op("Flatten", [scores], suffix: "_flat")
        }
        guard scores.rank == 2, scores.shape.dims.count == 2 else {
            throw AnnealError(
                "output \(name)", "has the shape \(output.shape)", suggestion: "a classifier's is (batch, classes)",
                code: .unsupported)
        }
        let ending = try OutputEnding(scores.entry)
        guard ending.kind == .logits || ending.kind == .probabilities || ending.logits(of: scores.entry) != nil,
            let logits = ending.logits(of: scores.entry)
        else {
            // Independent probabilities, as from a sigmoid: no softmax matches them.
            return Symbol([scores.entry])
        }
        let layer = graph.unique("softmax")
        return try SymbolBuilder().softmaxOutput(Symbol([logits]), name: layer)
    }
}
