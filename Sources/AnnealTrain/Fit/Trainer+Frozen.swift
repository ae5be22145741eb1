import AnnealCompiler
import AnnealGraph

extension Trainer {
    /// What is frozen, as a sentence: parameters, their elements, and the batch norms with fixed statistics.
    public var frozenDescription: String {
        let learned = parameters.names.filter { !parameters.isAuxiliary($0) }
        func numbers(_ names: [String]) -> Int { names.reduce(0) { $0 + (parameters.shape($1)?.count ?? 0) } }
        let fixed = learned.filter(frozen.contains), all = numbers(learned)
        let share = Double(numbers(fixed)) / Double(max(all, 1)) * 100
        // A mean and a variance each.
        let norms = (frozen.count - fixed.count) / 2
        return "Frozen: \(fixed.count) of \(learned.count) parameters, \(numbers(fixed)) of \(all) numbers "
            + "(\((share * 10).rounded() / 10) %), and the statistics of \(norms) batch norms"
    }
}
