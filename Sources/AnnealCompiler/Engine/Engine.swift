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
