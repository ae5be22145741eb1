import Anneal
import Testing

// Code as another package would write it: nothing here is @testable.

/// The mean probability of the right class.
private struct Confidence: Metric {
    let name = "confidence"
    /// Probabilities, predictions.
    var sums: [Double] = [0, 0]
    var value: Double { sums[0] / sums[1] }

    mutating func update(_ batch: MetricBatch) throws {
        try batch.checkLabels(name, inRange: true)
        for sample in 0..<batch.samples {
            sums[0] += Double(batch.score(sample, batch.label(sample)))
            sums[1] += 1
        }
    }
}

/// Wrong predictions of each class.
private struct Errors: Metric {
    let name = "errors"
    var sums: [Double] = [0, 0, 0]
    var value: Double { sums.reduce(0, +) }

    mutating func update(_ batch: MetricBatch) throws {
        for sample in 0..<batch.samples where batch.predicted(sample) != batch.label(sample) {
            sums[batch.label(sample)] += 1
        }
    }
}

/// w = w - l * sign(C(r*g) + d*w)
private struct SignDescent: OptimizerRule {
    static let name = "sign-descent"
    init() {}
    init(options: inout NamedOptions) throws {}
    var stateCount: Int { 0 }

    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let direction = k.scaled(element.gradient) + k.decay * element.weight
        element.weight = element.weight - k.rate * N.sign(direction)
    }
}

/// Stores the gradient, as the formulas use it, in place of the weight.
private struct ScaledGradient: OptimizerRule {
    static let name = "scaled-gradient"
    init() {}
    init(options: inout NamedOptions) throws {}
    var stateCount: Int { 0 }

    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.weight = k.scaled(element.gradient)
    }
}

/// Five states: more than the specialised loops support. Each takes the value of the previous one, and
/// the weight that of the last one.
private struct Chain: OptimizerRule {
    static let name = "chain"
    init() {}
    init(options: inout NamedOptions) throws {}
    var stateCount: Int { 5 }

    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.weight = element.states[4]
        for state in stride(from: 4, to: 0, by: -1) { element.states[state] = element.states[state - 1] }
        element.states[0] = element.gradient
    }
}

/// Records which epochs it is asked for.
private struct EpochSource: SampleSource {
    let path = "epochs"
    let count = 4
    let turnsUpright = false
    let images: [[UInt8]]

    init() throws {
        images = try (0..<3).map {
            try Image(width: 2, height: 2, channels: 1, filledWith: UInt8(10 * $0)).encoded(as: .png(level: 1))
        }
    }

    func readSample(_ number: Int, epoch: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        payload = images[epoch]
        return SampleHeader(id: UInt64(number), labels: [Float(number)])
    }
    func classLabel(of number: Int) throws -> Float { Float(number) }
    func place(of number: Int, id: UInt64?) -> String { "sample \(number)" }
    func offset(of number: Int) -> Int { 0 }
}

@Suite struct OwnMetricAndRuleTests {
    @Test func anOwnMetricReadsABatch() throws {
        var confidence = Confidence(), errors = Errors()
        // The labels' scores are 0.5, 0.25 and 0.125; the second row's highest is class 0, the third's class 1.
        let outputs: [Float] = [0.5, 0.25, 0.25, 0.5, 0.25, 0.25, 0.25, 0.625, 0.125]
        try confidence.update(labels: [0, 1, 2], outputs: outputs, classes: 3)
        try errors.update(labels: [0, 1, 2], outputs: outputs, classes: 3)
        #expect(confidence.value == 0.875 / 3)
        #expect(errors.sums == [0, 1, 1])
        #expect(throws: AnnealError.self) { try confidence.update(labels: [3], outputs: [1, 0, 0], classes: 3) }
    }

    @Test func anOwnRuleTrains() throws {
        // r = 0.5 and C clips to ±1: the gradients are 1, -0.25 and 0.
        #expect(try weights(after: ScaledGradient()) == [1, -0.25, 0])
        // Only the last sign is that of the decay.
        #expect(try weights(after: SignDescent()) == [0.75, -0.75, 0.25])
    }

    private func weights(after rule: some OptimizerRule) throws -> [Float] {
        let optimizer = Optimizer(
            rule,
            settings: OptimizerSettings(
                learningRate: 0.25, weightDecay: 0.125, clipGradient: 1, rescaleGradient: 0.5))
        let parameters = try OptimizedParameters(optimizer, [("a_weight", Tensor([3], [1, -1, 0.5]))])
        try parameters.step([Tensor([3], [4, -0.5, 0])])
        return try parameters.value("a_weight").elements
    }

    @Test func aRuleKeepsAnyNumberOfStates() throws {
        let parameters = try OptimizedParameters(Optimizer(Chain()), [("a_weight", Tensor([2], [9, 9]))])
        for step in 1...6 { try parameters.step([Tensor([2], [Float(step), Float(-step)])]) }
        #expect(try parameters.value("a_weight").elements == [1, -1])
        #expect(try parameters.state("a_weight", 4)?.elements == [2, -2])
        #expect(try parameters.state("a_weight", 0)?.elements == [6, -6])
    }

    @Test func sourcesAreToldTheEpoch() throws {
        let loader = try BatchLoader(try EpochSource(), options: LoaderOptions(dataShape: [1, 2, 2], batchSize: 4))
        var data = [Float](repeating: -1, count: 16), labels = [Float](repeating: -1, count: 4)
        for epoch in 0..<3 {
            try loader.start(epoch: epoch, atBatch: 0)
            try data.withUnsafeMutableBufferPointer { data in
                try labels.withUnsafeMutableBufferPointer { labels in
                    let rows = try loader.next(into: BatchSlot(data: data, labels: labels))
                    #expect(rows == 4)
                }
            }
            #expect(data == Array(repeating: Float(10 * epoch), count: 16))
        }
    }
}
