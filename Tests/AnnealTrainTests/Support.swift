import Anneal
import AnnealCompiler
import Testing

/// Parameters that an optimizer updates.
final class TestParameters {
    private let start: [(name: String, value: Tensor)]
    private var gradients: [Tensor]
    private var run: OptimizedParameters?
    private let engine: (any Engine)?

    /// - Parameter rowLength: elements of a row, all by default.
    init(_ values: [(name: String, weights: [Float])], rowLength: Int? = nil, engine: (any Engine)? = nil) {
        start = values.map { name, weights in
            let row = rowLength ?? weights.count
            return (name, Tensor([weights.count / row, row], weights))
        }
        gradients = start.map { Tensor($0.value.shape) }
        self.engine = engine
    }

    /// The optimizer of the steps.
    var optimizer: Optimizer? { run?.optimizer }

    subscript(_ index: Int) -> [Float] {
        (try? run?.value(start[index].name) ?? start[index].value)?.elements ?? []
    }

    func setGradient(_ index: Int, _ values: [Float]) { gradients[index] = Tensor(start[index].value.shape, values) }

    /// A step of an optimizer, which is taken at the first one.
    func step(_ optimizer: Optimizer) throws {
        let run = try self.run ?? OptimizedParameters(optimizer, start, engine: engine ?? defaultEngine())
        self.run = run
        try run.step(gradients)
    }

    func state(_ name: String, _ index: Int) throws -> [Float]? { try run?.state(name, index)?.elements }

    var all: [[Float]] { start.indices.map { self[$0] } }
}

/// Every rule, with settings that make progress on a small problem.
struct RuleCase: CustomTestStringConvertible {
    let label: String
    let rate: Double
    let make: @Sendable () -> any OptimizerRule
    /// The fraction of the distance that remains after 300 steps on the quadratic.
    var left = 0.05

    var testDescription: String { label }

    func optimizer(weightDecay: Double = 0, clipGradient: Double? = nil, seed: UInt64 = 3) -> Optimizer {
        Optimizer(
            make(),
            settings: OptimizerSettings(
                learningRate: rate, weightDecay: weightDecay, clipGradient: clipGradient, seed: seed))
    }

    static let all = single + chains

    private static let single: [RuleCase] = [
        RuleCase(label: "sgd", rate: 0.1, make: { SGD() }),
        RuleCase(label: "sgd momentum", rate: 0.05, make: { SGD(momentum: 0.9) }),
        RuleCase(label: "sgd nesterov", rate: 0.05, make: { SGD(momentum: 0.9, nesterov: true) }),
        RuleCase(label: "nag without momentum", rate: 0.1, make: { NAG() }),
        RuleCase(label: "nag", rate: 0.05, make: { NAG(momentum: 0.9) }),
        RuleCase(label: "signum", rate: 0.01, make: { Signum() }, left: 0.1),
        RuleCase(label: "signsgd", rate: 0.01, make: { Signum(momentum: 0) }),
        RuleCase(label: "ftml", rate: 0.1, make: { FTML() }),
        RuleCase(label: "lars", rate: 1, make: { LARS(momentum: 0.5, eta: 0.02) }, left: 0.3),
        RuleCase(label: "lars without momentum", rate: 1, make: { LARS(eta: 0.02) }, left: 0.3),
        RuleCase(label: "lbsgd small batches", rate: 0.1, make: { LBSGD() }),
        RuleCase(label: "lbsgd momentum", rate: 0.05, make: { LBSGD(momentum: 0.5) }),
        RuleCase(label: "lbsgd without momentum", rate: 0.05, make: { LBSGD(batchScale: 2, updatesPerEpoch: 4) }),
        RuleCase(label: "lbsgd", rate: 0.05, make: { LBSGD(momentum: 0.5, batchScale: 2, updatesPerEpoch: 4) }),
        RuleCase(label: "lbsgd lars", rate: 0.02, make: { LBSGD(strategy: .lars) }, left: 0.3),
        RuleCase(label: "lamb", rate: 0.02, make: { LAMB() }, left: 0.3),
        RuleCase(label: "dcasgd", rate: 0.1, make: { DCASGD() }),
        RuleCase(label: "dcasgd momentum", rate: 0.05, make: { DCASGD(momentum: 0.5) }),
        RuleCase(label: "sgld", rate: 1e-3, make: { SGLD() }, left: 0.98),
        RuleCase(label: "adam", rate: 0.05, make: { Adam() }),
        RuleCase(label: "adamw", rate: 0.05, make: { AdamW() }),
        RuleCase(label: "adagrad", rate: 0.5, make: { AdaGrad() }),
        RuleCase(label: "groupadagrad", rate: 0.5, make: { GroupAdaGrad() }),
        RuleCase(label: "rmsprop", rate: 0.01, make: { RMSProp() }),
        RuleCase(label: "rmsprop centered", rate: 0.002, make: { RMSProp(centered: true) }, left: 0.3),
        RuleCase(label: "rmsprop clipping weights", rate: 0.01, make: { RMSProp(clipWeights: 3) }),
        RuleCase(label: "adadelta", rate: 0, make: { AdaDelta(epsilon: 1e-3) }, left: 0.2),
        RuleCase(label: "ftrl", rate: 1, make: { Ftrl(lambda1: 1e-4) }),
        RuleCase(label: "adamax", rate: 0.05, make: { Adamax() }),
        RuleCase(label: "nadam", rate: 0.05, make: { Nadam() }),
        RuleCase(label: "lion", rate: 0.01, make: { Lion() }, left: 0.25),
    ]

    /// Parts with and without states, before and after rules of all kinds.
    private static let chains: [RuleCase] = [
        RuleCase(
            label: "chain", rate: 0.02,
            make: {
                RuleChain(
                    ClipGradient(3), WeightDecay(), AverageGradient(0.5), then: SGD(momentum: 0.9),
                    after: [ClipWeight(4)])
            }),
        RuleCase(
            label: "chain of six states", rate: 0.1,
            make: { RuleChain(AverageGradient(0.5), then: FTML(), after: [FollowingWeight(), Untouched()]) }, left: 0.1),
        RuleCase(
            label: "chain with norms", rate: 0.02, make: { RuleChain(ClipGradient(2), then: LAMB()) }, left: 0.3),
        RuleCase(
            label: "chain with rows", rate: 0.5, make: { RuleChain(WeightDecay(0), then: GroupAdaGrad()) }),
        RuleCase(
            label: "chain with noise", rate: 1e-3, make: { RuleChain(ClipGradient(9), then: SGLD()) }, left: 0.98),
        RuleCase(
            label: "chain with previous weights", rate: 0.1, make: { RuleChain(AverageGradient(0.1), then: DCASGD()) }),
    ]
}

/// Records the weight after the last update and the one before, and changes nothing.
struct FollowingWeight: ChainLink {
    static let name = "following"
    var stateCount: Int { 2 }
    func stateStart(_ index: Int) -> StateStart { index == 0 ? .weight : .zeros }

    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.states[1] = element.states[0]
        element.states[0] = element.weight
    }
}

/// Does nothing.
struct Untouched: ChainLink {
    static let name = "untouched"
    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {}
}

/// Reproducible pseudo-random numbers.
func noise(_ count: Int, _ seed: UInt64) -> [Float] {
    var random = Random(seed: seed, purpose: .test)
    return (0..<count).map { _ in random.normal() }
}

/// Noise with labels 0 to 3, the same in every epoch.
final class RandomImages: BatchSource {
    let batchSize: Int
    let dataShape: Shape
    let labelWidth = 1
    let count: Int
    private var next = 0

    init(shape: Shape, count: Int, batchSize: Int) {
        dataShape = shape
        self.count = count
        self.batchSize = batchSize
    }

    func start(epoch: Int, atBatch: Int) { next = atBatch * batchSize }

    func next(into slot: BatchSlot) -> Int {
        let valid = min(batchSize, count - next)
        guard valid > 0 else { return 0 }
        for row in 0..<batchSize {
            let sample = (next + row) % count
            for (i, value) in noise(dataShape.count, UInt64(sample)).enumerated() {
                slot.data[row * dataShape.count + i] = value
            }
            slot.labels[row] = Float(sample * 7 % 4)
        }
        next += valid
        return valid
    }
}
