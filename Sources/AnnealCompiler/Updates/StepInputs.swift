/// The inputs of a step: everything that changes from one step to the next, so that a plan need not.
public struct StepInputs: Sendable {
    /// Random numbers (dropout) are a function of the seed, the layer, the step and the element.
    public var seed: UInt64 = 0
    /// The number of the batch, unique in a run.
    public var step = 0
    /// The index in its batch of the first sample, if a plan computes a part of a batch: random numbers are drawn per
    /// sample.
    public var firstSample = 0
    /// One per trained parameter.
    public var numbers: [StepNumbers] = []
    /// The number of updates of each trained parameter, this one included: an optimizer's noise depends on it and the
    /// seed.
    public var updates: [Int] = []
    /// The seed of the optimizer's noise.
    public var noiseSeed: UInt64 = 0
    /// How the sums over batches are made.
    public var merge = Merge()
    /// How far averages move towards the weights.
    public var averageShare: Float = 0
    /// The limit of the gradients' norm after scaling; infinite: none.
    public var normLimit = Double.infinity
    /// The factor that gradients in float16 are multiplied by until they become those of parameters.
    public var lossScale: Float = 1
    /// Whether this process was asked to stop: if results come late, they tell whether any process was.
    public var asksToStop = false

    public init() {}

    /// How gradients of several batches are added: in a binary tree over the batches, kept like a binary counter (a
    /// partial sum of 2^l batches at level l).
    public struct Merge: Sendable, Equatable {
        /// The levels of the sums that are added, the lowest first.
        public var levels: [Int] = []
        /// Whether the gradient of this batch is the innermost summand.
        public var takesGradient = true
        /// Where the sum is stored.
        public var target = 0

        public init() {}

        /// For batch number `batch` of an update, from 0; `isLast`: it is the update's last one.
        public init(batch: Int, isLast: Bool) {
            if isLast {
                levels = Self.levels(of: batch)
            } else {
                target = (~batch).trailingZeroBitCount
                levels = Array(0..<target)
            }
        }

        /// Sums what `batches` have left, as at the end of an epoch.
        public init(rest batches: Int) {
            takesGradient = false
            levels = Self.levels(of: batches)
        }

        /// The levels at which sums of a number of batches are kept.
        public static func levels(of batches: Int) -> [Int] {
            (0..<Int.bitWidth).filter { batches >> $0 & 1 == 1 }
        }

        /// The number of levels that sums for updates over a number of batches need.
        public static func levelCount(batches: Int) -> Int {
            batches > 1 ? Int.bitWidth - (batches - 1).leadingZeroBitCount : 0
        }
    }
}
