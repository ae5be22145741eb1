import AnnealCore
import AnnealGraph

/// What runs programs: one or several devices with their memory. The compiler, training and scoring know engines only by this
/// protocol, and by what it makes: arrays and plans.
///
/// An engine made of kernels conforms to `KernelEngine`, which does most of the work; `ReferenceEngine` is the shortest
/// example. The article "How a network becomes a plan" says what one must implement.
public protocol Engine: AnyObject {
    /// As `--devices` names it, e.g. `cpu`.
    var name: String { get }

    /// What the last bits of its results depend on.
    var machine: RunMachine { get }

    /// Whether it runs the operators of a type.
    func supports(_ type: any Operator.Type) -> Bool

    /// Makes a network ready to run. Arrays for parameters, statistics and states that `store` lacks are made and added to
    /// it; those that it has are checked.
    /// - Throws: `AnnealError`: what the engine cannot do, by its layer; what does not fit into memory (`outOfMemory`).
    func plan(_ request: PlanRequest, store: ParameterStore) throws -> any ExecutablePlan

    /// The processes that share each batch; nil: this one alone.
    var group: (any ProcessGroup)? { get }

    /// The rows of a batch that this process computes, and its inputs have room for: all, unless several processes share it.
    func rows(of batch: Int) -> Range<Int>

    /// Gives every process the rows of a batch that each has.
    /// - Parameters:
    ///   - own: this process's rows.
    ///   - all: the batch's.
    func gather(_ own: UnsafeBufferPointer<Float>, batch: Int, into all: UnsafeMutableBufferPointer<Float>) throws
}

extension Engine {
    public var machine: RunMachine { RunMachine(kernels: name) }

    public var group: (any ProcessGroup)? { nil }

    /// Whether this process saves and tells what all have done.
    public var isFirstProcess: Bool { group.map { $0.rank == 0 } ?? true }

    public func rows(of batch: Int) -> Range<Int> { 0..<batch }

    public func gather(
        _ own: UnsafeBufferPointer<Float>, batch: Int, into all: UnsafeMutableBufferPointer<Float>
    ) throws {
        _ = all.update(from: own)
    }
}

/// An array in an engine's memory, for as long as its owner holds it: a parameter, a statistic, a state.
public protocol EngineArray: AnyObject {
    var shape: Shape { get }
    /// A copy in plain order, with all that was submitted before done.
    func read() throws -> Tensor
    /// - Parameter tensor: of the array's shape.
    func write(_ tensor: Tensor) throws
    /// Gives the memory back to the system; the array must be written before it is read again.
    func release()
    /// Whether no value is a NaN or an infinity.
    func isFinite() throws -> Bool
}

/// A network that is ready to run on an engine.
public protocol ExecutablePlan: AnyObject {
    var program: Program { get }

    /// Whether a run's results are there when `run` returns, and until the next run only. Otherwise they come late, and stay
    /// as long as they are held.
    var isImmediate: Bool { get }

    /// Submits parts of a step.
    /// - Throws: what went wrong in this or an earlier submission, by the layer.
    @discardableResult
    func run(_ phases: Phases, _ inputs: StepInputs) throws -> any StepResults

    /// Waits until all that was submitted is done: parameters and states are as the last step leaves them.
    func settle() throws

    /// Makes ready what a run of these phases needs, so that it does not wait for a compiler. The next forward pass takes the
    /// inputs that were asked for last (`input`, `pixels`).
    func prepare(_ phases: Phases, _ inputs: StepInputs) throws

    /// Host memory in plain order for an input of the next forward pass, to be filled before it; nil if there is no such
    /// input. A forward pass moves on to other memory where the engine uploads from it meanwhile: ask again after each.
    func input(_ name: String) -> UnsafeMutableBufferPointer<Float>?

    /// As `input`, for 8-bit pixels (batch, channels, height, width) that the plan makes floats on its device; nil if it takes
    /// floats only. The last of the two that is asked for before a forward pass is what that pass takes.
    func pixels(_ name: String, _ scaling: PixelScaling) -> UnsafeMutableBufferPointer<UInt8>?

    /// A copy in plain order of a value of the last run that outlives it: an output, or a gradient that is kept.
    func read(_ value: Program.ValueID) throws -> Tensor

    /// Bytes that are planned for what lives within a step: activations, gradients, scratch.
    var plannedBytes: Int { get }
    /// What it has allocated and will use, its new parameters and states included.
    var memoryNeed: MemoryNeed { get }
    /// What each operation does, in the order in which they run.
    var operations: [OperationCost] { get }
    /// When the last step's gradients travelled between processes; that of the step before where results come late; none if
    /// there is one process.
    var exchanges: [BucketTime] { get }
    /// Gives the process that saves the states which only others have. All processes call it before one saves.
    func collectStates() throws
    /// Called in place of each operation, with its number in `operations` and its code, on engines that run them one by one:
    /// for profiles and monitors.
    var around: ((_ operation: Int, _ run: () -> Void) -> Void)? { get set }
    /// Copies of the outputs that an operation of the forward pass has just written; called from within `around`.
    func outputs(of operation: Int) throws -> [(name: String, values: Tensor)]
}

extension ExecutablePlan {
    public func outputs(of operation: Int) throws -> [(name: String, values: Tensor)] { [] }
    public func prepare(_ phases: Phases, _ inputs: StepInputs) throws {}
    public func settle() throws {}
    public var exchanges: [BucketTime] { [] }
    public func collectStates() throws {}
    public func pixels(_ name: String, _ scaling: PixelScaling) -> UnsafeMutableBufferPointer<UInt8>? { nil }

    /// One for each instruction of the program.
    public var operations: [OperationCost] {
        program.instructions.indices.map { OperationCost(program, instruction: $0, "", reorders: 0) }
    }
}

/// What a run gave.
public protocol StepResults: AnyObject {
    /// An output of the network in plain order; nil if the plan has it in another order only. Waits for the run.
    func output(_ index: Int) throws -> UnsafeBufferPointer<Float>?
    /// An input as it was in this run.
    func input(_ name: String) throws -> UnsafeBufferPointer<Float>?
    /// The flags of a check (`Program.checks`), by its number; 0 where something is not finite.
    func flags(_ check: Int) throws -> UnsafeBufferPointer<Float>
    /// Whether the step tells all processes if one of them is asked to stop (`StepInputs.asksToStop`).
    var carriesRequests: Bool { get }
    /// Whether any process was. Waits for the step.
    func isAskedToStop() throws -> Bool
}

extension StepResults {
    public var carriesRequests: Bool { false }
    public func isAskedToStop() throws -> Bool { false }
}
