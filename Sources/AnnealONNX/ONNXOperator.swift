import AnnealGraph

/// An operator that ONNX can express. Each operator conforms in a file under `Operators/`; others are refused by name.
package protocol ONNXOperator: Operator {
    /// Adds the nodes that compute the operator in inference.
    /// - Returns: the values of its outputs; hidden or rarely used ones at the end may be missing.
    func export(_ site: ONNXSite) throws -> [String]
}
