import AnnealGraph

/// Something that has arrays of its own in a run's state, besides the parameters and the optimizer's: averaged weights, say,
/// or gradients that are still being gathered.
public protocol StateHolder: AnyObject {
    /// Stands before the arrays' names in the file, as in `ema:fc1_weight`; no other holder has it.
    var stateName: String { get }
    /// Copies of the arrays, in plain layout.
    func stateArrays() throws -> [StoredArray]
    /// Goes back to arrays that `stateArrays` gave.
    /// - Throws: if one is missing or of another shape, with nothing changed.
    func restore(_ arrays: [StoredArray]) throws
}
