import AnnealCompiler
import AnnealCore
import AnnealGraph

/// Parameters outside a network, with the optimizer that updates them: for custom optimization, and to test rules. It
/// runs on any engine, as the updates of a training step do.
public final class OptimizedParameters {
    public let optimizer: Optimizer
    private let store: ParameterStore
    private let plan: any ExecutablePlan
    private let names: [String]
    private var inputs = StepInputs()
    private var hasStarted = false
    private let averaging: WeightAveraging?
    private var steps = 0

    /// - Parameters:
    ///   - optimizer: its rule and settings are copied; it does not change.
    ///   - values: the parameters in the order in which they are updated.
    /// - Throws: if the rule cannot update one of them.
    package init(_ optimizer: Optimizer, _ values: [(name: String, value: Tensor)], engine: any Engine) throws {
        let optimizer = optimizer.fresh()
        self.optimizer = optimizer
        let names = values.map(\.name)
        self.names = names
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw AnnealError("parameter \(twice)", "is given twice", suggestion: "give each its own name")
        }
        let shapes = values.map { (name: $0.name, shape: $0.value.shape) }
        try optimizer.bind(shapes)
        var update = TrainingUpdate(optimizer.rule)
        update.order = names
        update.limitsNorm = optimizer.settings.clipNorm != nil
        averaging = optimizer.rule.averaging
        update.averaging = averaging?.kind
        var request = PlanRequest(.parameters(shapes), mode: .training)
        request.update = update
        store = ParameterStore(engine: engine)
        plan = try engine.plan(request, store: store)
        for (name, value) in values { try store.set(name, value) }
    }

    /// Updates all parameters by their gradients, which are multiplied by the settings' `rescaleGradient`.
    /// - Parameter gradients: one per parameter, in order, of its shape.
    public func step(_ gradients: [Tensor]) throws {
        guard gradients.count == names.count else {
            throw AnnealError(
                "optimizer", "gets \(gradients.count) gradients for \(names.count) parameters", code: .mismatch)
        }
        if !hasStarted { try plan.run(.start, inputs) }
        hasStarted = true
        for (name, gradient) in zip(names, gradients) {
            guard gradient.shape == store.shape(name), let memory = plan.input("gradient:\(name)") else {
                throw AnnealError("gradient of \(name)", "has the shape \(gradient.shape)", code: .mismatch)
            }
            _ = memory.update(from: gradient.elements)
        }
        try optimizer.prepare(&inputs, rescale: optimizer.settings.rescaleGradient)
        steps += 1
        inputs.averageShare = averaging?.share(update: steps) ?? 0
        try plan.run(.update, inputs)
        if case .lookahead(let interval, let alpha) = averaging, steps % interval == 0 {
            inputs.averageShare = Float(alpha.value(progress: 0))
            try plan.run(.lookAhead, inputs)
        }
    }

    /// The current value of a parameter.
    /// - Throws: `AnnealError` if there is no such parameter.
    public func value(_ name: String) throws -> Tensor { try store.tensor(name) }

    /// A parameter's moving average, if the rule is a chain that has one.
    public func average(_ name: String) throws -> Tensor? {
        guard let averaging else { return nil }
        return try store.state(.average(averaging.kind, of: name))?.array.read()
    }

    /// One of the rule's states of a parameter; nil if it has no such state.
    public func state(_ name: String, _ index: Int) throws -> Tensor? {
        try store.state(.optimizer(parameter: name, index: index))?.array.read()
    }
}
