/// What a training step does with its gradients.
public struct TrainingUpdate: Sendable {
    /// What happens after the weights were updated.
    public enum Averaging: Sendable { case movingAverage, lookAhead }

    /// The parameters in the order in which they are updated; those without a gradient are left out.
    public var order: [String] = []
    /// How a weight is updated from its gradient.
    public var rule: any UpdateRule
    /// The number of batches whose gradients make an update.
    public var accumulation = 1
    /// Whether the norm of all gradients together is limited.
    public var limitsNorm = false
    /// nil: nothing happens after the weights were updated.
    public var averaging: Averaging?
    /// Parameters and statistics that never change: no averages of them are kept.
    public var frozen: Set<String> = []
    /// Drops a step in which a value is not finite: no parameter, state or statistic changes then.
    public var isGuarded = false
    /// Whether gradients can be read after the step.
    public var keepsGradients = false

    /// Gradients arrive in groups of at least this many bytes, some of them while the next forward pass is running:
    /// each group has its own update, and gradients keep their memory until the next backward pass. nil: all are
    /// available at once.
    var groupBytes: Int?

    public init(_ rule: any UpdateRule) { self.rule = rule }

    /// Whether every gradient must be available before the first update.
    public var needsAllGradients: Bool { isGuarded || limitsNorm || keepsGradients }

    /// Whether a parameter's update depends on its own gradient alone, in each step.
    var canBeGrouped: Bool { !needsAllGradients && accumulation == 1 && averaging != .lookAhead }

    /// Minimum size, in floats, of a parameter that is updated early: as soon as its gradient is complete and nothing reads the
    /// parameter any more. Its gradient then shares memory with others. Small ones save little and are updated together.
    static let largeParameter = 2 * 8192
}
