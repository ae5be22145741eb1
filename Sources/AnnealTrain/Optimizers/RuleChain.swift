import AnnealCompiler
import AnnealCore
import AnnealGraph

/// Rules in sequence, like OptimiserChain of Optimisers.jl: changes to the gradient, the rule that updates the weight,
/// changes to the weight, and weight averaging.
///
/// ```swift
/// let rule = RuleChain(
///     ClipGradient(0.5), WeightDecay(5e-4), then: SGD(momentum: 0.9, nesterov: true),
///     averaging: .movingAverage(decay: 0.999))
/// let optimizer = Optimizer(rule, settings: OptimizerSettings(learningRate: 0.1))
/// ```
/// The gradient is multiplied by r (`rescaleGradient`) first. Links change it in order; the rule receives the result as
/// if it were the parameter's own gradient, with all settings (rate, schedule, `clipGradient`, multipliers), but
/// without weight decay if a link applies it. States are those of the links before the rule, of the rule and of the
/// links after it, in this order.
///
/// A chain runs on every engine, and gives the same bits as one rule with the same operations, e.g.
/// `RuleChain(WeightDecay(), then: SGD(momentum: 0.9, nesterov: true))` as its rule. On the CPU each part has its own
/// loops, over blocks that stay in the cache.
public struct RuleChain: OptimizerRule {
    public static let name = "chain"

    public let before: [any ChainLink]
    public let rule: any OptimizerRule
    public let after: [any ChainLink]
    public let averaging: WeightAveraging?
    public let stateCount: Int
    /// The index of the rule's first state.
    private let ruleState: Int
    private let decayLink: (any ChainLink)?

    /// - Parameters:
    ///   - before: links that change the gradient.
    ///   - rule: the rule that updates the weight. A chain's links are placed between these.
    ///   - after: links that change the weight afterwards.
    ///   - averaging: weights that follow the trained ones; a trainer uses it by default.
    /// - Precondition: at most one link applies weight decay.
    public init(
        _ before: any ChainLink..., then rule: any OptimizerRule, after: [any ChainLink] = [],
        averaging: WeightAveraging? = nil
    ) {
        let inner = rule as? RuleChain
        self.before = before + (inner?.before ?? [])
        self.rule = inner?.rule ?? rule
        self.after = (inner?.after ?? []) + after
        self.averaging = averaging ?? inner?.averaging
        ruleState = self.before.reduce(0) { $0 + $1.stateCount }
        stateCount = self.after.reduce(ruleState + self.rule.stateCount) { $0 + $1.stateCount }
        let decayLinks = (self.before + self.after).filter(\.takesWeightDecay)
        precondition(decayLinks.count <= 1, "\(decayLinks.count) links apply weight decay")
        decayLink = decayLinks.first
    }

    public init(options: inout NamedOptions) throws {
        throw AnnealError(
            options.place, "is created from rules, not from options", suggestion: "use RuleChain(…, then: …)")
    }

    // MARK: Properties of the rule

    public var kind: any OptimizerRule.Type { rule.kind }
    public var label: String {
        let parts = before.map { type(of: $0).name } + [rule.label] + after.map { type(of: $0).name }
        return "chain(\(parts.joined(separator: ", ")))"
    }
    public var startScalars: [Double] { rule.startScalars }
    public var asksBeforeCounting: Bool { rule.asksBeforeCounting }
    public var remark: String? { rule.remark }
    public var sums: RuleSums { rule.sums }
    public var drawsNoise: Bool { rule.drawsNoise }
    public var choices: (Bool, Bool) { rule.choices }
    public func decays(_ name: String) -> Bool { rule.decays(name) }
    public func adapts(_ name: String) -> Bool { rule.adapts(name) }

    public func check(_ name: String, shape: Shape, weightDecay: Double) throws {
        try rule.check(name, shape: shape, weightDecay: decayLink == nil ? weightDecay : 0)
    }

    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        guard let decayLink else { return rule.prepare(&step, &scalars) }
        let decay = decayLink.weightDecay(step)
        step.weightDecay = 0
        rule.prepare(&step, &scalars)
        // `RuleNumbers.decay` belongs to the link: the rule gets 0.
        step.weightDecay = decay
    }

    // MARK: States

    public func stateStart(_ index: Int) -> StateStart {
        var index = index
        for link in before {
            if index < link.stateCount { return link.stateStart(index) }
            index -= link.stateCount
        }
        if index < rule.stateCount { return rule.stateStart(index) }
        index -= rule.stateCount
        for link in after {
            if index < link.stateCount { return link.stateStart(index) }
            index -= link.stateCount
        }
        return .zeros
    }

    // MARK: The formula

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.gradient = k.scale * element.gradient
        var first = Self.apply(before, to: &element, from: 0, k)
        let numbers = numbersOfRule(k)
        Self.withStates(of: &element, from: first, count: rule.stateCount) { rule.update(&$0, numbers) }
        first += rule.stateCount
        _ = Self.apply(after, to: &element, from: first, k)
    }

    public func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N) {
        // Links change their states, but must not change others: states after the first three are in the caller's
        // memory.
        var others = (3..<max(3, stateCount)).map { element.states[$0] }
        return others.withUnsafeMutableBufferPointer { others in
            let states = element.states
            var element = RuleElement(
                weight: element.weight, gradient: k.scale * element.gradient,
                states: RuleStates(states.first, states.second, states.third, others: others.baseAddress),
                noise: element.noise)
            let first = Self.apply(before, to: &element, from: 0, k), numbers = numbersOfRule(k)
            var terms = (N(0), N(0))
            Self.withStates(of: &element, from: first, count: rule.stateCount) { terms = rule.terms($0, numbers) }
            return terms
        }
    }

    /// Rules may change the rate and their constants.
    public func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N)) {
        var numbers = numbersOfRule(k)
        rule.adapt(&numbers, to: sums)
        (k.rate, k.constants) = (numbers.rate, numbers.constants)
    }

    /// The gradient that the rule receives is already multiplied by r, and may include the decay.
    private func numbersOfRule<N: RuleNumber>(_ k: RuleNumbers<N>) -> RuleNumbers<N> {
        var numbers = k
        numbers.scale = N(1)
        if decayLink != nil { numbers.decay = N(0) }
        return numbers
    }

    private static func apply<N: RuleNumber>(
        _ links: [any ChainLink], to element: inout RuleElement<N>, from first: Int, _ k: RuleNumbers<N>
    ) -> Int {
        var first = first
        for link in links {
            withStates(of: &element, from: first, count: link.stateCount) { link.update(&$0, k) }
            first += link.stateCount
        }
        return first
    }

    /// The element as one part sees it, with the part's own states.
    private static func withStates<N: RuleNumber>(
        of element: inout RuleElement<N>, from first: Int, count: Int, _ body: (inout RuleElement<N>) -> Void
    ) {
        var states = element.states
        element.states = states.part(from: first, count: count)
        body(&element)
        states.replace(from: first, count: count, with: element.states)
        element.states = states
    }
}

// MARK: - Loops

extension RuleChain {
    public func update(_ slice: RuleSlice) { forEachBlock(of: slice, copied: false) { run($0) } }

    public func staysFinite(_ slice: RuleSlice) -> Bool {
        var bits: UInt32 = 0
        forEachBlock(of: slice, copied: true) { block in
            run(block)
            bits |= overflow(block.weight, block.count)
            for array in block.states { bits |= overflow(array, block.count) }
        }
        return bits >> 31 == 0
    }

    public func sums(over slice: RuleSlice) -> (Double, Double) {
        var total = (0.0, 0.0)
        forEachBlock(of: slice, copied: true) { block in
            run(before, block, from: 0)
            let sums = rule.sums(over: block.slice(states: ruleState, rule.stateCount, numbersOfRule(block.numbers)))
            total = (total.0 + sums.0, total.1 + sums.1)
        }
        return total
    }

    private func overflow(_ array: UnsafeMutablePointer<Float>, _ count: Int) -> UInt32 {
        var bits: UInt32 = 0
        for i in 0..<count { bits |= HostFloat(value: array[i]).overflow }
        return bits
    }

    private func numbersOfRule(_ numbers: StepNumbers) -> StepNumbers {
        var numbers = numbers
        numbers[0] = 1
        if decayLink != nil { numbers[2] = 0 }
        return numbers
    }

    /// One part's view of a slice, with the gradients of its elements and all states.
    private struct Block {
        let numbers: StepNumbers
        let count: Int
        let weight: UnsafeMutablePointer<Float>
        /// Multiplied by r; owned by the block.
        let gradient: UnsafeMutablePointer<Float>
        let states: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>
        let noise: UnsafePointer<Float>?

        func states(_ first: Int, _ count: Int) -> UnsafeBufferPointer<UnsafeMutablePointer<Float>> {
            UnsafeBufferPointer(rebasing: states[first..<first + count])
        }

        func slice(states first: Int, _ stateCount: Int, _ numbers: StepNumbers) -> RuleSlice {
            RuleSlice(
                numbers: numbers, start: 0, count: count, weight: weight, gradient: gradient,
                states: states(first, stateCount), noise: noise)
        }
    }

    private func run(_ block: Block) {
        run(before, block, from: 0)
        rule.update(block.slice(states: ruleState, rule.stateCount, numbersOfRule(block.numbers)))
        run(after, block, from: ruleState + rule.stateCount)
    }

    private func run(_ links: [any ChainLink], _ block: Block, from first: Int) {
        var first = first
        for link in links {
            link.update(
                ChainBlock(
                    numbers: block.numbers, count: block.count, weight: block.weight, gradient: block.gradient,
                    states: block.states(first, link.stateCount)))
            first += link.stateCount
        }
    }

    /// - Parameter copied: whether weights and states are copies, so that the parameter does not change.
    private func forEachBlock(of slice: RuleSlice, copied: Bool, _ body: (Block) -> Void) {
        let size = RuleSlice.block, stateCount = stateCount
        let arrays = copied ? 2 + stateCount : 1
        withUnsafeTemporaryAllocation(of: Float.self, capacity: arrays * size) { memory in
            withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: stateCount) { states in
                guard let gradient = memory.baseAddress else { return }
                for start in stride(from: slice.start, to: slice.start + slice.count, by: size) {
                    let count = min(size, slice.start + slice.count - start)
                    func place(_ array: UnsafeMutablePointer<Float>, _ copy: Int) -> UnsafeMutablePointer<Float> {
                        guard copied else { return array + start }
                        let target = gradient + copy * size
                        target.update(from: array + start, count: count)
                        return target
                    }
                    let scale = slice.numbers[0], source = slice.gradient + start
                    for i in 0..<count { gradient[i] = scale * source[i] }
                    for state in 0..<stateCount {
                        states.initializeElement(at: state, to: place(slice.states[state], 2 + state))
                    }
                    body(
                        Block(
                            numbers: slice.numbers, count: count, weight: place(slice.weight, 1), gradient: gradient,
                            states: states, noise: slice.noise.map { $0 + (start - slice.start) }))
                }
            }
        }
    }
}
