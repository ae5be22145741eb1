import Anneal
import Testing

/// The first two steps of each rule, worked out by hand (in Python's double precision) from the papers' formulas.
///
/// One weight w = 1 named x_weight; gradients 0.5, then -0.25; weight decay 0.1 unless said otherwise.
@Suite struct RuleNumbersTests {
    struct Numbers: CustomTestStringConvertible {
        let label: String
        let rate: Double
        let rule: any OptimizerRule
        let after: [Double]
        var decay = 0.1
        var testDescription: String { label }
    }

    static let all: [Numbers] = [
        Numbers(
            label: "sgd", rate: 0.1, rule: SGD(),
            after: [0.940000000, 0.955600000]),
        Numbers(
            label: "sgd momentum", rate: 0.1, rule: SGD(momentum: 0.9),
            after: [0.940000000, 0.901600000]),
        Numbers(
            label: "sgd nesterov", rate: 0.1, rule: SGD(momentum: 0.9, nesterov: true),
            after: [0.886000000, 0.868066000]),
        Numbers(
            label: "nag", rate: 0.1, rule: NAG(momentum: 0.9),
            after: [0.886000000, 0.868989400]),
        Numbers(
            label: "signum", rate: 0.1, rule: Signum(decoupledDecay: 0.2),
            after: [0.880000000, 0.762400000]),
        Numbers(
            label: "signsgd", rate: 0.1, rule: Signum(momentum: 0),
            after: [0.890000000, 0.981100000]),
        Numbers(
            label: "ftml", rate: 0.1, rule: FTML(),
            after: [0.900000002, 0.922779319]),
        Numbers(
            label: "lars", rate: 1, rule: LARS(eta: 0.02, epsilon: 1e-3),
            after: [0.980033278, 0.988569689]),
        Numbers(
            label: "lbsgd", rate: 0.1, rule: LBSGD(warmUpEpochs: 2, batchScale: 2, updatesPerEpoch: 4),
            after: [1.000000000, 0.971875000]),
        Numbers(
            label: "lbsgd lars", rate: 0.1, rule: LBSGD(strategy: .lars),
            after: [0.898581489, 0.936602423]),
        Numbers(
            label: "lamb", rate: 0.1, rule: LAMB(upperBound: 0.5),
            after: [0.950000000, 0.900000000]),
        Numbers(
            label: "dcasgd", rate: 0.1, rule: DCASGD(lambda: 0.5),
            after: [0.940000000, 0.955787500]),
        Numbers(
            label: "dcasgd momentum", rate: 0.1, rule: DCASGD(momentum: 0.5, lambda: 0.5),
            after: [0.940000000, 0.925787500]),
        Numbers(
            label: "adam", rate: 0.1, rule: Adam(),
            after: [0.900000053, 0.854441440]),
        Numbers(
            label: "adamw", rate: 0.1, rule: AdamW(),
            after: [0.890000002, 0.854466299]),
        Numbers(
            label: "adamw operator", rate: 0.1, rule: AdamW(form: .operator(eta: 0.5)),
            after: [0.791886217, 0.695700755]),
        Numbers(
            label: "adagrad", rate: 0.1, rule: AdaGrad(),
            after: [0.890000020, 0.925821372]),
        Numbers(
            label: "groupadagrad", rate: 0.1, rule: GroupAdaGrad(),
            after: [0.900002000, 0.944722644], decay: 0),
        Numbers(
            label: "rmsprop", rate: 0.1, rule: RMSProp(),
            after: [0.683772278, 0.779899002]),
        Numbers(
            label: "rmsprop centered", rate: 0.1, rule: RMSProp(gamma2: 0.8, centered: true, clipWeights: 0.9),
            after: [0.666666718, 0.498719164]),
        Numbers(
            label: "adadelta", rate: 0.1, rule: AdaDelta(),
            after: [0.890001999, 0.807593799]),
        Numbers(
            label: "adadelta with rate", rate: 0.1, rule: AdaDelta(useLearningRate: true),
            after: [0.989000200, 0.979769398]),
        Numbers(
            label: "ftrl", rate: 0.1, rule: Ftrl(),
            after: [0.297350993, 0.313284537]),
        Numbers(
            label: "adamax", rate: 0.1, rule: Adamax(),
            after: [0.900000000, 0.866633300]),
        Numbers(
            label: "nadam", rate: 0.1, rule: Nadam(),
            after: [0.894354824, 0.915288832]),
        Numbers(
            label: "lion", rate: 0.1, rule: Lion(),
            after: [0.890000000, 0.981100000]),
    ]

    @Test(arguments: all) func twoSteps(_ numbers: Numbers) throws {
        let model = TestParameters([("x_weight", [1])])
        let optimizer = Optimizer(
            numbers.rule, settings: OptimizerSettings(learningRate: numbers.rate, weightDecay: numbers.decay))
        for (gradient, expected) in zip([Float(0.5), -0.25], numbers.after) {
            model.setGradient(0, [gradient])
            try model.step(optimizer)
            #expect(
                abs(Double(model[0][0]) - expected) < 3e-6 * max(1, abs(expected)), "\(model[0][0]), not \(expected)")
        }
    }

    /// PyTorch's SGD(momentum=0.9, nesterov=True, weight_decay=0.1) when the rate falls from 0.1 to 0.01:
    /// m = 0.6, w = 1 - 0.1 * (0.6 + 0.54) = 0.886; G = -0.25 + 0.0886 = -0.1614, m = 0.54 - 0.1614 = 0.3786,
    /// w = 0.886 - 0.01 * (-0.1614 + 0.34074) = 0.8842066.
    @Test func nesterovTakesANewRateAtOnce() throws {
        let parameters = TestParameters([("x_weight", [1])])
        let optimizer = Optimizer(
            SGD(momentum: 0.9, nesterov: true),
            settings: OptimizerSettings(
                schedule: try FactorScheduler(step: 1, factor: 0.1, baseRate: 0.1), weightDecay: 0.1))
        for (gradient, expected) in [(0.5, 0.886), (-0.25, 0.8842066)] as [(Float, Float)] {
            parameters.setGradient(0, [gradient])
            try parameters.step(optimizer)
            #expect(abs(parameters[0][0] - expected) < 1e-6)
        }
    }
}
