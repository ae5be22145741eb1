import AnnealCompiler

/// Elements of a parameter that a chain's parts process one after another, while they are in the CPU cache.
public struct ChainBlock {
    @usableFromInline let numbers: StepNumbers
    @usableFromInline let count: Int
    @usableFromInline let weight: UnsafeMutablePointer<Float>
    @usableFromInline let gradient: UnsafeMutablePointer<Float>
    /// The states of the current part, from the block's first element on.
    @usableFromInline let states: UnsafeBufferPointer<UnsafeMutablePointer<Float>>

    init(
        numbers: StepNumbers, count: Int, weight: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>,
        states: UnsafeBufferPointer<UnsafeMutablePointer<Float>>
    ) {
        self.numbers = numbers
        self.count = count
        self.weight = weight
        self.gradient = gradient
        self.states = states
    }

    /// Values shared by all elements.
    @inlinable @inline(__always)
    var hostNumbers: RuleNumbers<HostFloat> {
        RuleNumbers(numbers, choices: (false, false), clips: false) { HostFloat(value: $0) }
    }

    @inlinable @inline(never)
    func run<Link: ChainLink, States: LoopStates>(_ link: Link, _ form: States.Type) {
        let k = hostNumbers, zero = HostFloat(0), weight = weight, gradient = gradient
        let first = States.count > 0 ? states[0] : weight, second = States.count > 1 ? states[1] : weight
        let third = States.count > 2 ? states[2] : weight
        for i in 0..<count {
            var element = RuleElement(
                weight: HostFloat(value: weight[i]), gradient: HostFloat(value: gradient[i]),
                states: RuleStates(
                    States.count > 0 ? HostFloat(value: first[i]) : zero,
                    States.count > 1 ? HostFloat(value: second[i]) : zero,
                    States.count > 2 ? HostFloat(value: third[i]) : zero),
                noise: zero)
            link.update(&element, k)
            weight[i] = element.weight.value
            gradient[i] = element.gradient.value
            if States.count > 0 { first[i] = element.states.first.value }
            if States.count > 1 { second[i] = element.states.second.value }
            if States.count > 2 { third[i] = element.states.third.value }
        }
    }

    /// Any number of states.
    @inlinable @inline(never)
    func run<Link: ChainLink>(_ link: Link) {
        let k = hostNumbers, states = states
        withUnsafeTemporaryAllocation(of: HostFloat.self, capacity: states.count) { others in
            for i in 0..<count {
                func state(_ index: Int) -> HostFloat { HostFloat(value: index < states.count ? states[index][i] : 0) }
                for index in 3..<max(3, states.count) { others[index - 3] = state(index) }
                var element = RuleElement(
                    weight: HostFloat(value: weight[i]), gradient: HostFloat(value: gradient[i]),
                    states: RuleStates(state(0), state(1), state(2), others: others.baseAddress), noise: HostFloat(0))
                link.update(&element, k)
                weight[i] = element.weight.value
                gradient[i] = element.gradient.value
                for index in states.indices { states[index][i] = element.states[index].value }
            }
        }
    }
}
