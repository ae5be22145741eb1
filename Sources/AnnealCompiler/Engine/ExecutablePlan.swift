import AnnealCore
import AnnealGraph

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
    /// Called in place of each operation, with its number in `operations` and its code, on engines that run them one by one:
    /// for profiles and monitors.
    var around: ((_ operation: Int, _ run: () -> Void) -> Void)? { get set }
}

extension ExecutablePlan {
    public func prepare(_ phases: Phases, _ inputs: StepInputs) throws {}
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
}
