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
    /// What gradients in float16 are multiplied by until they are those of parameters.
    public var lossScale: Float = 1
    /// Whether this process is asked to stop: where results come late, they say whether any is.
    public var asksToStop = false

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
