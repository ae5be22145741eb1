import AnnealCompiler
import AnnealCore
import AnnealGraph

/// Updates the parameters of a model by a rule: counts the updates, asks the schedule, and prepares the numbers of each
/// step. The arithmetic is an instruction of the training program (`UpdateAction.update`), and the rule's states are
/// arrays of the network's store.
///
/// Not safe to use from two threads at the same time.
public final class Optimizer {
    public let rule: any OptimizerRule
    public var settings: OptimizerSettings { didSet { bound = bound.map { bind($0.name) } } }
    public package(set) var schedule: (any LearningRateSchedule)?

    /// MXNet's `num_update`: the largest update count of any parameter.
    public var updates: Int { counters.updates }

    /// What changes with every step; a dropped step restores it.
    struct Counters: Equatable {
        var updates: Int
        /// The update count of each parameter.
        var counts: [Int] = []
        /// Numbers of the rule that are shared by all parameters.
        var scalars: [Double]
    }
    var counters: Counters

    /// A parameter that it updates.
    private struct Bound {
        let name: String
        let rateMultiplier: Double
        let decayMultiplier: Double
        let adapts: Bool
    }
    private var bound: [Bound] = []

    /// An optimizer that has not updated anything yet.
    public init(_ rule: any OptimizerRule, settings: OptimizerSettings = OptimizerSettings()) {
        self.rule = rule
        self.settings = settings
        schedule = settings.schedule
        if let rate = settings.learningRate, rule.kind.replacesScheduleRate { schedule?.baseRate = rate }
        counters = Counters(updates: settings.beginUpdate, scalars: rule.startScalars)
    }

    /// A new optimizer with the same rule and settings, in the state before the first update.
    func fresh() -> Optimizer { Optimizer(rule, settings: settings) }

    /// The rate of the last update (before the first one, the rate of the first), without multipliers.
    public var learningRate: Double { rate(at: max(updates, 1)) }

    /// The rate of update number `update`, which is 1 for the first.
    public func rate(at update: Int) -> Double {
        schedule?.rate(at: update) ?? settings.learningRate ?? rule.kind.standardLearningRate ?? 0.01
    }

    /// Passes a metric of the last validation to the schedule.
    public func observe(_ value: Double) { schedule?.observe(value) }

    var scheduleState: [Double] {
        get { schedule?.state ?? [] }
        set { schedule?.state = newValue }
    }

    /// The names of the parameters that it updates, in order.
    var parameters: [String] { bound.map(\.name) }

    /// Registers the parameters to update. Their order matters in some rules (Nadam, LARS, LBSGD), as in MXNet.
    /// - Throws: if the rule cannot update one of them.
    func bind(_ parameters: [(name: String, shape: Shape)]) throws {
        bound = parameters.map { bind($0.name) }
        limitsNorm = settings.clipNorm != nil
        for (parameter, bound) in zip(parameters, bound) {
            try rule.check(
                parameter.name, shape: parameter.shape, weightDecay: settings.weightDecay * bound.decayMultiplier)
        }
        counters.counts = parameters.map { _ in settings.beginUpdate }
    }

    private func bind(_ name: String) -> Bound {
        Bound(
            name: name, rateMultiplier: settings.multipliers.learningRate[name] ?? 1,
            decayMultiplier: settings.multipliers.weightDecay[name] ?? (rule.decays(name) ? 1 : 0),
            adapts: rule.adapts(name))
    }

    /// Whether the gradients' norm was clipped when the program was created: `clipNorm` may change then, but clipping
    /// cannot be turned on later.
    private var limitsNorm = false

    /// Counts an update of every parameter, asks the schedule, and writes the numbers of the step.
    /// - Parameter rescale: the factor of the gradients.
    /// - Throws: if `settings.clipNorm` was nil when the program was created and is not now.
    func prepare(_ inputs: inout StepInputs, rescale: Double) throws {
        guard limitsNorm || settings.clipNorm == nil else {
            throw AnnealError(
                "clipNorm", "was set after the training program was created",
                suggestion: "set it in the optimizer that is passed to the trainer")
        }
        inputs.normLimit = settings.clipNorm ?? .infinity
        inputs.numbers.removeAll(keepingCapacity: true)
        inputs.updates.removeAll(keepingCapacity: true)
        inputs.noiseSeed = settings.seed
        for (index, parameter) in bound.enumerated() {
            let before = counters.updates
            counters.counts[index] += 1
            counters.updates = max(counters.updates, counters.counts[index])
            let rate = rate(at: rule.asksBeforeCounting ? before : counters.updates)
            var step = StepContext(
                learningRate: rate * parameter.rateMultiplier, baseRate: rate,
                weightDecay: settings.weightDecay * parameter.decayMultiplier,
                decayMultiplier: parameter.decayMultiplier, rescale: rescale,
                clipGradient: settings.clipGradient, update: counters.counts[index],
                ownUpdate: counters.counts[index] - settings.beginUpdate, index: index, parameters: bound.count,
                adapts: parameter.adapts)
            rule.prepare(&step, &counters.scalars)
            inputs.numbers.append(step.numbers(clipsAtZero: rule.kind.clipsAtZero))
            inputs.updates.append(step.update)
        }
    }
}
