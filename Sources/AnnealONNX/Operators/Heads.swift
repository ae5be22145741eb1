import AnnealCore
import AnnealGraph

// Losses: their outputs in inference.

extension SoftmaxOutput: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0].shape
        if multiOutput || preserveShape || data.rank == 2 {
            return [try site.node("Softmax", [site.names[0]], ["axis": .int(multiOutput ? 1 : -1)])]
        }
        // All axes after the batch flattened.
        let rows = try site.node("Flatten", [site.names[0]], ["axis": .int(1)])
        return [try site.reshape(site.node("Softmax", [rows], ["axis": .int(1)]), to: data)]
    }
}

extension RegressionOutput: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [member == .logistic ? try site.node("Sigmoid", [site.names[0]]) : site.names[0]]
    }
}

extension SVMOutput: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { [site.names[0]] }
}

extension MakeLoss: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { [site.names[0]] }
}

extension SimpleMakeLoss: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { [site.names[0]] }
}
