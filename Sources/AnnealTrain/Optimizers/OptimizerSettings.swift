import AnnealCore
import AnnealGraph

/// The settings that all optimizers share: MXNet's `Optimizer` base class.
public struct OptimizerSettings: Sendable {
    /// nil: the schedule's base rate, or without a schedule the rule's default (usually 0.01). A given rate replaces
    /// the schedule's base, as in MXNet (but not the end of a warm-up, nor the base of Poly and Cosine).
    public var learningRate: Double?
    public var schedule: (any LearningRateSchedule)?
    /// `wd`.
    public var weightDecay: Double
    /// `clip_gradient`: gradients are clipped to ±this, after `rescaleGradient`.
    public var clipGradient: Double?
    /// Gradients are scaled down so that their norm, over all parameters and after `rescaleGradient`, is at most this;
    /// nil: off. As in PyTorch's `clip_grad_norm_`: times min(1, clipNorm / (norm + 1e-6)). Applied before
    /// `clipGradient`.
    public var clipNorm: Double?
    /// `rescale_grad`: MXNet's Module sets 1 / batch size.
    public var rescaleGradient: Double
    /// `begin_num_update`: updates that count as already done.
    public var beginUpdate: Int
    public var multipliers: Multipliers
    /// For rules that draw random numbers (SGLD).
    public var seed: UInt64

    public init(
        learningRate: Double? = nil, schedule: (any LearningRateSchedule)? = nil, weightDecay: Double = 0,
        clipGradient: Double? = nil, clipNorm: Double? = nil, rescaleGradient: Double = 1, beginUpdate: Int = 0,
        multipliers: Multipliers = Multipliers(), seed: UInt64 = 0
    ) {
        self.learningRate = learningRate
        self.schedule = schedule
        self.weightDecay = weightDecay
        self.clipGradient = clipGradient
        self.clipNorm = clipNorm
        self.rescaleGradient = rescaleGradient
        self.beginUpdate = beginUpdate
        self.multipliers = multipliers
        self.seed = seed
    }
}

/// `lr_mult` and `wd_mult` of parameters by name, where they differ from the rule's defaults.
///
/// By default only parameters with names that end in `_weight` or `_gamma` decay (LARS: `_weight`). The symbol's
/// attributes override that, and the user's settings override both.
public struct Multipliers: Sendable, Equatable, Codable {
    public var learningRate: [String: Double]
    public var weightDecay: [String: Double]

    public init(learningRate: [String: Double] = [:], weightDecay: [String: Double] = [:]) {
        self.learningRate = learningRate
        self.weightDecay = weightDecay
    }

    /// The attributes `__lr_mult__` and `__wd_mult__` of the symbol's variables. Throws if one is not a number.
    public init(symbol: Symbol) throws {
        self.init()
        for node in symbol.nodes where node.isVariable {
            learningRate[node.name] = try Multipliers.attribute("__lr_mult__", node)
            weightDecay[node.name] = try Multipliers.attribute("__wd_mult__", node)
        }
    }

    /// These multipliers, overridden by `other`.
    public func merging(_ other: Multipliers) -> Multipliers {
        Multipliers(
            learningRate: learningRate.merging(other.learningRate) { $1 },
            weightDecay: weightDecay.merging(other.weightDecay) { $1 })
    }

    private static func attribute(_ key: String, _ node: Node) throws -> Double? {
        guard let text = node.attributes[key] else { return nil }
        guard let number = Double(text) else {
            throw AnnealError("parameter \(node.name), \(key)", "is '\(text)'", suggestion: "give a number")
        }
        return number
    }
}
