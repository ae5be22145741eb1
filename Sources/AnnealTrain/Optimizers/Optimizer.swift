import AnnealCompiler
import AnnealCore
import AnnealGraph

/// Updates the parameters of a model by a rule: counts the updates, asks the schedule, and prepares the numbers of each step.
/// The arithmetic is an instruction of the training program (`UpdateAction.update`), and the rule's states are arrays of the
/// network's store.
///
/// Not safe to use from two threads at once.
public final class Optimizer {
    public let rule: any OptimizerRule
    public var settings: OptimizerSettings { didSet { bound = bound.map { bind($0.name) } } }
    public package(set) var schedule: (any LearningRateSchedule)?

    /// MXNet's `num_update`: the largest number of updates that a parameter has had.
    public var updates: Int { counters.updates }

    /// What changes with every step; a step that is dropped takes it back.
    struct Counters: Equatable {
        var updates: Int
        /// Of each parameter that it updates.
        var counts: [Int] = []
        /// The rule's numbers that belong to no parameter.
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

    public init(_ rule: any OptimizerRule, settings: OptimizerSettings = OptimizerSettings()) {
        self.rule = rule
        self.settings = settings
        schedule = settings.schedule
        if let rate = settings.learningRate, rule.kind.replacesScheduleRate { schedule?.baseRate = rate }
        counters = Counters(updates: settings.beginUpdate, scalars: rule.startScalars)
    }

    /// An optimizer with this one's rule and settings, as this one was before its first update.
    func fresh() -> Optimizer { Optimizer(rule, settings: settings) }

    /// The rate of the last update (of the first one before it), without multipliers.
    public var learningRate: Double { rate(at: max(updates, 1)) }

    /// The rate of update number `update`, which is 1 for the first.
    public func rate(at update: Int) -> Double {
        schedule?.rate(at: update) ?? settings.learningRate ?? rule.kind.standardLearningRate ?? 0.01
    }

    /// Tells the schedule a metric of the last validation.
    public func observe(_ value: Double) { schedule?.observe(value) }

    var scheduleState: [Double] {
        get { schedule?.state ?? [] }
        set { schedule?.state = newValue }
    }

    /// The names of the parameters that it updates, in order.
    var parameters: [String] { bound.map(\.name) }

    /// Takes over the parameters that it is to update. Their order counts in some rules (Nadam, LARS, LBSGD), as in MXNet.
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

    /// Whether gradients' norm was limited when the program was made: `clipNorm` can be another number then, but not begin.
    private var limitsNorm = false

    /// Counts an update of every parameter, asks the schedule, and writes the numbers of the step.
    /// - Parameter rescale: what gradients are multiplied by.
    /// - Throws: if `settings.clipNorm` was nil when the program was made and is not now.
    func prepare(_ inputs: inout StepInputs, rescale: Double) throws {
        guard limitsNorm || settings.clipNorm == nil else {
            throw AnnealError(
                "clipNorm", "was set after the training program was made",
                suggestion: "set it in the optimizer that the trainer is made with")
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
