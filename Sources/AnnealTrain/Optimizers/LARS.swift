import AnnealCompiler
import AnnealCore

/// Layer-wise adaptive rates (You, Gitman and Ginsburg 2017, arXiv:1708.03888); MXNet's `lars`.
///
///     l' = l * eta*|w| / (r*|g| + d*|w| + eps)   where both norms are above 0, and the name does not end in
///                                                gamma, beta or bias; else l
///     then as SGD with momentum
///
/// Only names that end in `_weight` decay. MXNet's defaults: momentum 0, eta 0.001, eps 0, momentum correction on.
///
/// The correction (Goyal et al. 2017, arXiv:1706.02677) scales the momentum by new rate / old rate in the step in which
/// the schedule's rate changes. MXNet does that only in the first update call after the change: for one parameter if
/// they are updated one by one, for four in Module; set `correctedParameters` to reproduce it. By default, nil, all are
/// corrected.
public struct LARS: OptimizerRule {
    public static let name = "lars"

    public var momentum: Double
    public var eta: Double
    public var epsilon: Double
    public var momentumCorrection: Bool
    /// The number of parameters, from the first, that a change of rate corrects.
    public var correctedParameters: Int?

    /// - Precondition: momentum is not negative, and the corrected parameters, if given, are at least 1.
    public init(
        momentum: Double = 0, eta: Double = 0.001, epsilon: Double = 0, momentumCorrection: Bool = true,
        correctedParameters: Int? = nil
    ) {
        precondition(momentum >= 0, "momentum \(momentum) is negative")
        precondition(correctedParameters ?? 1 >= 1, "\(correctedParameters ?? 0) parameters to correct")
        self.momentum = momentum
        self.eta = eta
        self.epsilon = epsilon
        self.momentumCorrection = momentumCorrection
        self.correctedParameters = correctedParameters
    }

    public init(options: inout NamedOptions) throws {
        options.ignore("lazy_update")
        let corrected = try options.integer("corrected_parameters", 0)
        self.init(
            momentum: try options.momentum(), eta: try options.number("eta", 0.001),
            epsilon: try options.number("eps", 0), momentumCorrection: try options.flag("momentum_correction", true),
            correctedParameters: corrected > 0 ? corrected : nil)
    }

    public var stateCount: Int { momentum == 0 ? 0 : 1 }
    public var choices: (Bool, Bool) { (momentum != 0, false) }
    public var sums: RuleSums { .ofParameter }
    /// The rates of the last two update calls; -1: none yet.
    public var startScalars: [Double] { [-1, -1] }

    public func decays(_ name: String) -> Bool { name.hasSuffix("_weight") }

    public func adapts(_ name: String) -> Bool { !["gamma", "beta", "bias"].contains(where: name.hasSuffix) }

    /// constants: the momentum, and whether the rate adapts.
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        if step.index % (correctedParameters ?? step.parameters) == 0 {
            scalars[0] = scalars[1] < 0 ? step.baseRate : scalars[1]
            scalars[1] = step.baseRate
        }
        let corrects = momentumCorrection && scalars[0] != 0
        step.constants[0] = momentum * (corrects ? scalars[1] / scalars[0] : 1)
        step.constants[1] = step.adapts ? 1 : 0
    }

    public func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N) {
        (element.weight * element.weight, element.gradient * element.gradient)
    }

    public func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N)) {
        let weight = N.root(sums.0), gradient = N.root(sums.1) * k.scale
        let ratio = N(eta) * weight / (gradient + k.decay * weight + N(epsilon))
        let adapted = N.select(sums.0, over: N(0), N.select(sums.1, over: N(0), ratio, N(1)), N(1))
        k.rate = k.rate * N.select(k.constants.1, over: N(0), adapted, N(1))
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        SGD.update(
            &element, k, by: k.scaled(element.gradient), momentum: k.choices.0 ? k.constants.0 : nil)
    }
}
