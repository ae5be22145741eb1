/// Elements of a parameter in host memory, with their gradients and states.
///
/// The engine keeps the memory alive and untouched by others while a rule works on it.
public struct RuleSlice {
    /// Of the parameter in this step, adapted to its sums.
    public let numbers: StepNumbers
    public let start: Int
    public let count: Int
    /// All of the parameter, of its gradient and of its states: the slice is `start..<start + count` of each.
    public let weight: UnsafeMutablePointer<Float>
    public let gradient: UnsafePointer<Float>
    public let states: UnsafeBufferPointer<UnsafeMutablePointer<Float>>
    /// Normal draws for the slice's elements, from its first on, for rules that draw.
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
