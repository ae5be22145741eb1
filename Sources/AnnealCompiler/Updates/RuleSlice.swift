/// Elements of a parameter in host memory, with their gradients and states.
///
/// The engine keeps the memory alive and unmodified while a rule works on it.
public struct RuleSlice {
    /// The parameter's numbers in this step, adapted to its sums.
    public let numbers: StepNumbers
    public let start: Int
    public let count: Int
    /// The whole parameter, its gradient and its states: the slice is `start..<start + count` of each.
    public let weight: UnsafeMutablePointer<Float>
    public let gradient: UnsafePointer<Float>
    public let states: UnsafeBufferPointer<UnsafeMutablePointer<Float>>
    /// Standard normal random numbers for the slice's elements, for rules that need noise.
    public let noise: UnsafePointer<Float>?

    public init(
        numbers: StepNumbers, start: Int, count: Int, weight: UnsafeMutablePointer<Float>,
        gradient: UnsafePointer<Float>, states: UnsafeBufferPointer<UnsafeMutablePointer<Float>>,
        noise: UnsafePointer<Float>? = nil
    ) {
        self.numbers = numbers
        self.start = start
        self.count = count
        self.weight = weight
        self.gradient = gradient
        self.states = states
        self.noise = noise
    }

    /// The same with other numbers.
    public func with(_ numbers: StepNumbers) -> RuleSlice {
        RuleSlice(
            numbers: numbers, start: start, count: count, weight: weight, gradient: gradient, states: states,
            noise: noise)
    }
}
