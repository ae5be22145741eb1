/// Parts of a training step. They run in the order of the program, whatever the order in which they are named.
public struct Phases: OptionSet, Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Outputs and losses.
    public static let forward = Phases(rawValue: 1)
    /// Gradients, and batch norm's moving statistics.
    public static let backward = Phases(rawValue: 2)
    /// Whether loss, gradients and statistics are finite.
    public static let check = Phases(rawValue: 4)
    /// Adds the gradients to those of earlier batches.
    public static let accumulate = Phases(rawValue: 8)
    /// The optimizer's update, with what belongs to it: norms before, moving averages after.
    public static let update = Phases(rawValue: 16)
    /// Slow weights follow the fast ones.
    public static let lookAhead = Phases(rawValue: 32)
    /// Gives states their values before the first update.
    public static let start = Phases(rawValue: 64)
    /// Puts averages in the place of the parameters, and back.
    public static let exchange = Phases(rawValue: 128)
}
