import AnnealCore
import AnnealTrain
import Testing

/// Parameters in memory of their own.
final class TestParameters {
    private(set) var parameters: [OptimizedParameter] = []
    private var gradients: [UnsafeMutablePointer<Float>] = []

    init(_ values: [(name: String, weights: [Float])], rowLength: Int? = nil) {
        for value in values {
            let weight = UnsafeMutablePointer<Float>.allocate(capacity: value.weights.count)
            weight.initialize(from: value.weights, count: value.weights.count)
            let gradient = UnsafeMutablePointer<Float>.allocate(capacity: value.weights.count)
            gradient.initialize(repeating: 0, count: value.weights.count)
            gradients.append(gradient)
            parameters.append(
                OptimizedParameter(
                    name: value.name, count: value.weights.count, weight: weight, gradient: gradient,
                    rowLength: rowLength ?? value.weights.count))
        }
    }

    deinit {
        for parameter in parameters { parameter.weight.deallocate() }
        for gradient in gradients { gradient.deallocate() }
    }

    subscript(_ index: Int = 0) -> [Float] {
        get { Array(UnsafeBufferPointer(start: parameters[index].weight, count: parameters[index].count)) }
        set { parameters[index].weight.update(from: newValue, count: parameters[index].count) }
    }

    func setGradient(_ index: Int = 0, _ values: [Float]) {
        precondition(values.count == parameters[index].count)
        gradients[index].update(from: values, count: values.count)
    }

    var all: [[Float]] { parameters.indices.map { self[$0] } }
}

/// Every rule, with settings under which it gets somewhere on a small problem.
struct RuleCase: CustomTestStringConvertible {
    let label: String
    let rate: Double
    let make: @Sendable () -> any OptimizerRule
    /// What is left of the distance after 300 steps on the quadratic.
    var left = 0.05

    var testDescription: String { label }

    func optimizer(weightDecay: Double = 0, seed: UInt64 = 3) -> Optimizer {
        Optimizer(make(), settings: OptimizerSettings(learningRate: rate, weightDecay: weightDecay, seed: seed))
    }

    static let all: [RuleCase] = [
        RuleCase(label: "sgd", rate: 0.1, make: { SGD() }),
        RuleCase(label: "sgd momentum", rate: 0.05, make: { SGD(momentum: 0.9) }),
        RuleCase(label: "sgd nesterov", rate: 0.05, make: { SGD(momentum: 0.9, nesterov: true) }),
        RuleCase(label: "nag", rate: 0.05, make: { NAG(momentum: 0.9) }),
        RuleCase(label: "signum", rate: 0.01, make: { Signum() }, left: 0.1),
        RuleCase(label: "signsgd", rate: 0.01, make: { Signum(momentum: 0) }),
        RuleCase(label: "ftml", rate: 0.1, make: { FTML() }),
        RuleCase(label: "lars", rate: 1, make: { LARS(momentum: 0.5, eta: 0.02) }, left: 0.3),
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
        RuleCase(label: "adadelta", rate: 0, make: { AdaDelta(epsilon: 1e-3) }, left: 0.2),
        RuleCase(label: "ftrl", rate: 1, make: { Ftrl(lambda1: 1e-4) }),
        RuleCase(label: "adamax", rate: 0.05, make: { Adamax() }),
        RuleCase(label: "nadam", rate: 0.05, make: { Nadam() }),
        RuleCase(label: "lion", rate: 0.01, make: { Lion() }, left: 0.25),
    ]
}

/// A repeatable mess of numbers.
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
