import AnnealCore
import AnnealGraph

/// Runs programs on one or several devices with their memory. The compiler, training and scoring use engines only
/// through this protocol and through what it creates: arrays and plans.
///
/// An engine made of kernels conforms to `KernelEngine`, which does most of the work; `ReferenceEngine` is the shortest
/// example. The article "How a network becomes a plan" describes what an engine must implement.
public protocol Engine: AnyObject {
    /// As `--devices` names it, e.g. `cpu`.
    var name: String { get }

    /// What the last bits of its results depend on.
    var machine: RunMachine { get }

    /// Whether it supports the operators of a type.
    func supports(_ type: any Operator.Type) -> Bool

    /// Prepares a network to run. Arrays for parameters, statistics and states that are missing from `store` are
    /// created and added to it; existing ones are checked.
    /// - Throws: `AnnealError`: what the engine does not support, by its layer; or that memory is insufficient
    ///   (`outOfMemory`).
    func plan(_ request: PlanRequest, store: ParameterStore) throws -> any ExecutablePlan

    /// The processes that share each batch; nil: only this one.
    var group: (any ProcessGroup)? { get }

    /// The rows of a batch that this process computes and its inputs hold: all, unless several processes share it.
    func rows(of batch: Int) -> Range<Int>

    /// Gathers the rows of a batch from all processes, in every process.
    /// - Parameters:
    ///   - own: this process's rows.
    ///   - all: the whole batch's.
    func gather(_ own: UnsafeBufferPointer<Float>, batch: Int, into all: UnsafeMutableBufferPointer<Float>) throws
}

extension Engine {
    public var machine: RunMachine { RunMachine(kernels: name) }

    public var group: (any ProcessGroup)? { nil }

    /// Whether this process saves and reports for all.
    public var isFirstProcess: Bool { group.map { $0.rank == 0 } ?? true }

    public func rows(of batch: Int) -> Range<Int> { 0..<batch }

    public func gather(
        _ own: UnsafeBufferPointer<Float>, batch: Int, into all: UnsafeMutableBufferPointer<Float>
    ) throws {
        _ = all.update(from: own)
    }
}

/// An array in an engine's memory that lives as long as its owner holds it: a parameter, a statistic, a state.
public protocol EngineArray: AnyObject {
    var shape: Shape { get }
    /// A copy in plain order, after all submitted work is done.
    func read() throws -> Tensor
    /// - Parameter tensor: has the array's shape.
    func write(_ tensor: Tensor) throws
    /// Returns the memory to the system; the array must be written before it is read again.
    func release()
    /// Whether no value is a NaN or an infinity.
    func isFinite() throws -> Bool
}

/// A network that is ready to run on an engine.
public protocol ExecutablePlan: AnyObject {
    var program: Program { get }

    /// Whether a run's results are available when `run` returns, and only until the next run. Otherwise they become
    /// available later, and stay valid as long as they are held.
    var isImmediate: Bool { get }

    /// Submits parts of a step.
    /// - Throws: the error of this or an earlier submission, by layer.
    @discardableResult
    func run(_ phases: Phases, _ inputs: StepInputs) throws -> any StepResults

    /// Waits until all submitted work is done: parameters and states are then as the last step leaves them.
    func settle() throws

    /// Compiles ahead of time what a run of these phases needs, so that it need not wait. The next forward pass reads
    /// the inputs that were requested last (`input`, `pixels`).
    func prepare(_ phases: Phases, _ inputs: StepInputs) throws

    /// Host memory in plain order for an input of the next forward pass, to be filled before it; nil if there is no
    /// such input. If the engine is still uploading from it, a forward pass switches to other memory: call again after
    /// each pass.
    func input(_ name: String) -> UnsafeMutableBufferPointer<Float>?

    /// Like `input`, for 8-bit pixels (batch, channels, height, width) that the plan converts to floats on its device;
    /// nil if it accepts only floats. The forward pass reads whichever of the two was requested last.
    func pixels(_ name: String, _ scaling: PixelScaling) -> UnsafeMutableBufferPointer<UInt8>?

    /// A copy in plain order of a value of the last run that outlives it: an output, or a gradient that is kept.
    func read(_ value: Program.ValueID) throws -> Tensor

    /// Bytes planned for values that live within a step: activations, gradients, scratch.
    var plannedBytes: Int { get }
    /// Bytes that it has allocated and will use, including its new parameters and states.
    var memoryNeed: MemoryNeed { get }
    /// What each operation does, in the order in which they run.
    var operations: [OperationCost] { get }
    /// When the last step's gradients were exchanged between processes; that of the step before if results come late;
    /// empty if there is only one process.
    var exchanges: [BucketTime] { get }
    /// Sends the states that only other processes have to the one that saves. All processes call it before one saves.
    func collectStates() throws
    /// Called in place of each operation, with its number in `operations` and its code, on engines that run operations
    /// one by one: for profiles and monitors.
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

/// The results of a run.
public protocol StepResults: AnyObject {
    /// An output of the network in plain order; nil if the plan only has it in another order. Waits for the run.
    func output(_ index: Int) throws -> UnsafeBufferPointer<Float>?
    /// An input as it was in this run.
    func input(_ name: String) throws -> UnsafeBufferPointer<Float>?
    /// The flags of a check (`Program.checks`), by its index; 0 where something is not finite.
    func flags(_ check: Int) throws -> UnsafeBufferPointer<Float>
    /// Whether the step tells all processes that one of them was asked to stop (`StepInputs.asksToStop`).
    var carriesRequests: Bool { get }
    /// Whether any process was asked to stop. Waits for the step.
    func isAskedToStop() throws -> Bool
}

extension StepResults {
    public var carriesRequests: Bool { false }
    public func isAskedToStop() throws -> Bool { false }
}
