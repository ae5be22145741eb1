/// What an instruction does after gradients are known. One may serve many parameters: small ones are not worth an
/// instruction each.
package enum UpdateAction: Sendable {
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

    package var phase: Phases {
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
    package var name: String {
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
package struct Phases: OptionSet, Sendable, Hashable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let forward = Phases(rawValue: 1)
    package static let backward = Phases(rawValue: 2)
    /// Whether loss, gradients and statistics are finite.
    package static let check = Phases(rawValue: 4)
    /// Adds the gradients to those of earlier batches.
    package static let accumulate = Phases(rawValue: 8)
    /// The optimizer's update, with what belongs to it: norms before, moving averages after.
    package static let update = Phases(rawValue: 16)
    package static let lookAhead = Phases(rawValue: 32)
    /// Gives states their values before the first update.
    package static let start = Phases(rawValue: 64)
    /// Puts averages in the place of the parameters, and back.
    package static let exchange = Phases(rawValue: 128)
}

/// What a step is told from outside: all that changes from one to the next, so that a plan need not.
package struct StepInputs: Sendable {
    /// Random numbers (dropout) are a function of the seed, the layer, the step and the element.
    package var seed: UInt64 = 0
    package var step = 0
    /// The number in its batch of the first sample, where a plan computes a part of a batch: random numbers count samples.
    package var firstSample = 0
    /// Of each trained parameter.
    package var numbers: [StepNumbers] = []
    /// Of each trained parameter, this update included: what an optimizer's noise depends on, with the seed.
    package var updates: [Int] = []
    package var noiseSeed: UInt64 = 0
    package var merge = Merge()
    package var averageShare: Float = 0
    package var normLimit = Double.infinity
    /// What gradients in float16 are multiplied by until they are those of parameters.
    package var lossScale: Float = 1

    package init() {}

    /// How gradients of several batches are added: in a binary tree over the batches, kept as a binary counter is (a partial
    /// sum of 2^l batches at level l).
    package struct Merge: Sendable, Equatable {
        /// The levels of the sums that are added, the lowest first.
        package var levels: [Int] = []
        /// Whether the gradient of this batch is the innermost summand.
        package var takesGradient = true
        /// Where the sum goes.
        package var target = 0

        package init() {}

        /// Of batch number `batch`, from 0, with or without it being an update's last one.
        package init(batch: Int, isLast: Bool) {
            if isLast {
                levels = Self.levels(of: batch)
            } else {
                target = (~batch).trailingZeroBitCount
                levels = Array(0..<target)
            }
        }

        /// Adds up what `batches` have left, as the end of an epoch does.
        package init(rest batches: Int) {
            takesGradient = false
            levels = Self.levels(of: batches)
        }

        /// The levels at which sums of so many batches are kept.
        package static func levels(of batches: Int) -> [Int] {
            (0..<Int.bitWidth).filter { batches >> $0 & 1 == 1 }
        }

        /// Levels that sums of updates of so many batches need.
        package static func levelCount(batches: Int) -> Int {
            batches > 1 ? Int.bitWidth - (batches - 1).leadingZeroBitCount : 0
        }
    }
}

/// A flag of a `checkFinite` or a guarded update, and what it is of.
package struct Check: Sendable {
    package enum Subject: Sendable, Equatable {
        case loss
        case gradient(String)
        case statistic(String)
        /// What the update would make of the parameter.
        case parameter(String)
    }

    package let value: Program.ValueID
    package let subjects: [Subject]
}
