/// What an instruction does after gradients are known. One may serve many parameters: small ones are not worth an
/// instruction each.
public enum UpdateAction: Sendable {
    /// input(p) is the gradient of the instruction's p-th parameter; changed(p·(1+s)) the parameter, followed by its s
    /// states. `scale`, if there is one, multiplies gradients. With a `condition`, output(0) is a flag for each parameter:
    /// whether its new value and states are finite; if one is not, nothing is changed. The condition of this and of `accumulate` is not
    /// asked where only sums of earlier batches are added (`Merge.takesGradient`): those were checked.
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
    /// changed(p) becomes input(p) unless all flags of `condition` are set; nothing where only sums of earlier batches were added.
    case restore(Phases)

    /// The part of a step that it belongs to.
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

/// What a step is told from outside: all that changes from one to the next, so that a plan need not.
public struct StepInputs: Sendable {
    /// Random numbers (dropout) are a function of the seed, the layer, the step and the element.
    public var seed: UInt64 = 0
    /// Of the batch: no two have the same.
    public var step = 0
    /// The number in its batch of the first sample, where a plan computes a part of a batch: random numbers count samples.
    public var firstSample = 0
    /// Of each trained parameter.
    public var numbers: [StepNumbers] = []
    /// Of each trained parameter, this update included: what an optimizer's noise depends on, with the seed.
    public var updates: [Int] = []
    /// Of the optimizer's noise.
    public var noiseSeed: UInt64 = 0
    /// How the sums over batches are made.
    public var merge = Merge()
    /// How far averages go towards the weights.
    public var averageShare: Float = 0
    /// Of the gradients' norm after scaling; infinite: none.
    public var normLimit = Double.infinity

    public init() {}

    /// How gradients of several batches are added: in a binary tree over the batches, kept as a binary counter is (a partial
    /// sum of 2^l batches at level l).
    public struct Merge: Sendable, Equatable {
        /// The levels of the sums that are added, the lowest first.
        public var levels: [Int] = []
        /// Whether the gradient of this batch is the innermost summand.
        public var takesGradient = true
        /// Where the sum goes.
        public var target = 0

        public init() {}

        /// Of batch number `batch`, from 0, with or without it being an update's last one.
        public init(batch: Int, isLast: Bool) {
            if isLast {
                levels = Self.levels(of: batch)
            } else {
                target = (~batch).trailingZeroBitCount
                levels = Array(0..<target)
            }
        }

        /// Adds up what `batches` have left, as the end of an epoch does.
        public init(rest batches: Int) {
            takesGradient = false
            levels = Self.levels(of: batches)
        }

        /// The levels at which sums of so many batches are kept.
        public static func levels(of batches: Int) -> [Int] {
            (0..<Int.bitWidth).filter { batches >> $0 & 1 == 1 }
        }

        /// Levels that sums of updates of so many batches need.
        public static func levelCount(batches: Int) -> Int {
            batches > 1 ? Int.bitWidth - (batches - 1).leadingZeroBitCount : 0
        }
    }
}

/// A flag of a `checkFinite` or a guarded update, and what it is of.
public struct Check: Sendable {
    /// What a flag is of.
    public enum Subject: Sendable, Equatable {
        case loss
        case gradient(String)
        case statistic(String)
        /// What the update would make of the parameter.
        case parameter(String)
    }

    /// The array of flags; 0: something is not finite.
    public let value: Program.ValueID
    /// Of each flag.
    public let subjects: [Subject]
}
