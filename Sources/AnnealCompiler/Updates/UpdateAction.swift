/// An operation of an instruction after the gradients are known. One instruction may serve many parameters: small ones
/// are not worth an instruction each.
public enum UpdateAction: Sendable {
    /// input(p) is the gradient of the instruction's p-th parameter; changed(p·(1+s)) the parameter, followed by its s
    /// states. `scale`, if there is one, multiplies gradients. With a `condition`, output(0) is a flag for each
    /// parameter: whether its new value and states are finite; if one is not, nothing is changed. The condition of this
    /// and of `accumulate` is not checked if only sums of earlier batches are added (`Merge.takesGradient`), since
    /// those were checked.
    case update(any UpdateRule, parameters: [Int])
    /// input(p): a gradient; changed(p·n), …: its n partial sums. Adds as `StepInputs.merge` says.
    case accumulate(levels: Int)
    /// output(0) is what limits the norm of all inputs together, after scaling, to `StepInputs.normLimit`:
    /// min(1, limit / (norm + 1e-6)). `parameter`: any of those that the inputs are the gradients of, for the scaling.
    case limitNorm(parameter: Int)
    /// output(0) is a flag for each input: whether all its values are finite.
    case checkFinite
    /// changed(p) += share · (input(p) - changed(p)), the share being `StepInputs.averageShare`.
    case average
    /// With fast = changed(2p), slow = changed(2p+1): slow += share · (fast - slow); fast = slow.
    case lookAhead
    /// Exchanges changed(2p) and changed(2p+1).
    case exchange
    /// output(p) or changed(p) becomes input(p).
    case copy(Phases)
    /// changed(p) becomes input(p) unless all flags of `condition` are set; nothing if only sums of earlier batches
    /// were added.
    case restore(Phases)

    /// The phase of a step that it belongs to.
    public var phase: Phases {
        switch self {
        case .update, .limitNorm, .average: .update
        case .accumulate: .accumulate
        case .checkFinite: .check
        case .lookAhead: .lookAhead
        case .exchange: .exchange
        case .copy(let phases), .restore(let phases): phases
        }
    }

    /// For profiles and plans.
    public var name: String {
        switch self {
        case .update: "update"
        case .accumulate: "sum over batches"
        case .limitNorm: "norm"
        case .checkFinite: "finite check"
        case .average: "average"
        case .lookAhead: "lookahead"
        case .exchange: "exchange"
        case .copy: "copy"
        case .restore: "restore"
        }
    }
}

/// A flag of a `checkFinite` or a guarded update, and its subject.
public struct Check: Sendable {
    /// The subject of a flag.
    public enum Subject: Sendable, Equatable {
        case loss
        case gradient(String)
        case statistic(String)
        /// The new value that the update would give the parameter.
        case parameter(String)
    }

    /// The array of flags; 0 means not finite.
    public let value: Program.ValueID
    /// Of each flag.
    public let subjects: [Subject]
}
