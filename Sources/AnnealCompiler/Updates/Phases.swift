/// Phases of a training step. They run in the order of the program, in whatever order they are named.
public struct Phases: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Outputs and losses.
    public static let forward = Phases(rawValue: 1)
    /// Gradients, and batch norm's moving statistics.
    public static let backward = Phases(rawValue: 2)
    /// Checks whether loss, gradients and statistics are finite.
    public static let check = Phases(rawValue: 4)
    /// Adds the gradients to those of earlier batches.
    public static let accumulate = Phases(rawValue: 8)
    /// The optimizer's update, with the norms before it and the moving averages after it.
    public static let update = Phases(rawValue: 16)
    /// Lookahead: slow weights follow the fast ones.
    public static let lookAhead = Phases(rawValue: 32)
    /// Initialises states before the first update.
    public static let start = Phases(rawValue: 64)
    /// Swaps averages and parameters.
    public static let exchange = Phases(rawValue: 128)
}
