import AnnealCore
import AnnealGraph

/// A symbol compiled for given shapes and a mode: a plan of its engine, run again and again.
///
/// ```swift
/// let executor = try Executor(symbol, inputs: ["data": [128, 3, 28, 28]], mode: .training)
/// executor.input("data")?.update(from: pixels)
/// try executor.forward(); try executor.backward()
/// ```
/// An executor is used by one thread at a time; the work inside is parallel.
public final class Executor {
    public typealias Mode = Program.Mode

    public let symbol: Symbol
    public let mode: Mode
    public let parameters: ParameterStore
    package let plan: any ExecutablePlan
    /// The inputs of the next run. Random numbers (dropout) are a function of the seed, the layer, the step and the
    /// element alone. The caller counts the steps: two runs of one step draw the same numbers.
    package var stepInputs = StepInputs()
    private var results: (any StepResults)?

    public var seed: UInt64 {
        get { stepInputs.seed }
        set { stepInputs.seed = newValue }
    }
    public var step: Int {
        get { stepInputs.step }
        set { stepInputs.step = newValue }
    }

    package var program: Program { plan.program }

    /// Called in place of each operation, with its number in `operations` and its code: for profiles and monitors.
    package var around: ((_ operation: Int, _ run: () -> Void) -> Void)? {
        get { plan.around }
        set { plan.around = newValue }
    }

    /// - Parameters:
    ///   - inputs: shapes of data and labels by name; labels may be left out.
    ///   - gradients: the variables to differentiate by in training; all parameters if nil.
    ///   - parameters: the store of an earlier executor of the same network on the same engine; a new one if nil.
    ///   - recomputation: what the backward pass may recompute to save memory. All choices give the same bits.
    ///   - keepsParameters: if false, inference may release the memory of weights into which it has folded batch norm.
    ///     They can then neither be read nor used by another executor until they are set again.
    ///   - precision: the type of values between layers.
    ///   - update: what a training step does with its gradients; nothing if nil.
    ///   - engine: must be the store's, if one is given.
    package init(
        _ symbol: Symbol, inputs given: [String: Shape], mode: Mode, gradients: Set<String>? = nil,
        parameters: ParameterStore? = nil, recomputation: Recomputation = .cheap, keepsParameters: Bool = true,
        precision: ElementType = .float32, update: TrainingUpdate? = nil, engine: any Engine
    ) throws {
        self.symbol = symbol
        self.mode = mode
        let store = parameters ?? ParameterStore(engine: engine)
        self.parameters = store

        // The labels' shapes follow from the data's.
        let arguments = try symbol.argumentNames()
        let shapes = try symbol.inferShapes(given).variables
        var inputs = given
        for name in try symbol.labelNames() where inputs[name] == nil { inputs[name] = shapes[name] }
        for name in given.keys where !arguments.contains(name) {
            throw AnnealError(
                "input \(name)", "is not in the network",
                suggestion: "its inputs and parameters: \(arguments.prefix(8).joined(separator: ", "))", code: .notFound
            )
        }
        var request = PlanRequest(
            .network(
                symbol, inputs: inputs, gradients: gradients ?? Set(arguments.filter { inputs[$0] == nil })),
            mode: mode)
        request.update = update
        request.update?.order = try arguments + symbol.auxiliaryNames()
        request.recomputation = recomputation
        request.keepsParameters = keepsParameters
        request.precision = precision
        plan = try engine.plan(request, store: store)
    }

    /// The names of the inputs: data, labels, and `head:N` for the gradient of an output that is not a loss.
    public var inputNames: [String] { program.values.filter { $0.kind == .input }.map(\.name).sorted() }

    /// Host memory for an input in plain order, to be filled before a run; nil if there is no such input. Some engines
    /// use different memory for each run: call again before the next one.
    public func input(_ name: String) -> UnsafeMutableBufferPointer<Float>? { plan.input(name) }

    /// Like `input`, for 8-bit pixels; nil on engines that accept only floats.
    package func pixels(_ name: String, _ scaling: PixelScaling) -> UnsafeMutableBufferPointer<UInt8>? {
        plan.pixels(name, scaling)
    }

    public func setInput(_ name: String, _ tensor: Tensor) throws {
        guard let memory = input(name),
            let value = program.values.first(where: { $0.name == name && $0.kind == .input })
        else {
            throw AnnealError(
                "input \(name)", "is not in the network",
                suggestion: "its inputs: \(inputNames.joined(separator: ", "))", code: .notFound)
        }
        guard tensor.count == memory.count else {
            throw AnnealError(
                "input \(name)", "has the shape \(tensor.shape), the plan is for \(value.shape)", code: .mismatch)
        }
        _ = memory.update(from: tensor.elements)
    }

    /// Runs the forward pass. In training it keeps what the backward pass needs.
    public func forward() throws { try run(.forward) }

    /// Runs the backward pass for the last forward pass: gradients, and batch norm's moving averages. Nothing is
    /// updated.
    public func backward() throws { try run(.backward) }

    /// Runs parts of a step with the current inputs.
    @discardableResult
    package func run(_ phases: Phases) throws -> any StepResults {
        let results = try plan.run(phases, stepInputs)
        self.results = results
        return results
    }

    /// Compiles ahead of time what a run of these phases needs.
    package func prepare(_ phases: Phases) throws { try plan.prepare(phases, stepInputs) }

    /// The number of layout changes inside a run.
    public var relayouts: Int { plan.operations.reduce(0) { $0 + $1.reorders } }

    public var outputShapes: [Shape] { program.outputs.map { program.values[$0].shape } }

    /// The symbol's output as a plain copy.
    public func output(_ index: Int = 0) throws -> Tensor { try plan.read(program.outputs[index]) }

    /// The gradient of a variable after a backward pass, as a plain copy; nil if it has none. Throws if the backward pass
    /// uses it up to update the parameter.
    public func gradient(_ name: String) throws -> Tensor? {
        guard !program.updatedEarly.contains(name) else {
            throw AnnealError(
                "gradient of \(name)", "is gone: the backward pass has updated the parameter with it",
                suggestion: "make the trainer with keepsGradients")
        }
        return try program.gradients[name].map(plan.read)
    }

    /// Bytes of the plan: activations, gradients, scratch; parameters and states are in their store.
    public var plannedBytes: Int { plan.plannedBytes }

    /// Bytes that it has allocated and will use.
    package var memoryNeed: MemoryNeed { plan.memoryNeed }

    /// Waits until all submitted work is done.
    package func settle() throws { try plan.settle() }

    /// Whether a run's results are available when it returns.
    package var isImmediate: Bool { plan.isImmediate }

    /// Sends the states that only other processes have to the one that saves.
    package func collectStates() throws { try plan.collectStates() }

    /// When the last step's gradients were exchanged between processes.
    package var exchanges: [BucketTime] { plan.exchanges }

    /// Copies of the outputs that an operation of the forward pass has just written, to be read within `around`: later
    /// operations reuse their memory. Empty for other operations.
    package func outputs(of operation: Int) throws -> [(name: String, values: Tensor)] {
        try plan.outputs(of: operation)
    }

    /// What each operation of the plan does, in the order in which they run.
    package var operations: [OperationCost] { plan.operations }
}
