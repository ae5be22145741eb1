import Anneal

/// The metric of --top-k; nil for 0.
///
/// - Parameter off: how to turn it off, for errors.
func topKMetric(_ k: Int, classes: Int, off: String) throws -> TopKAccuracy? {
    if k == 0 { return nil }
    guard classes > 1 else {
        throw UsageError("--top-k", "is \(k), but the network has one class", suggestion: off)
    }
    guard (2...classes).contains(k) else {
        let limits = classes == 2 ? "2" : "2 to \(classes), the number of classes"
        throw UsageError("--top-k", "is \(k)", suggestion: "it must be \(limits), or 0 for none")
    }
    return TopKAccuracy(k: k)
}
