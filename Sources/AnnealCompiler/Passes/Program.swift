import AnnealCore
import AnnealGraph

/// The compiled form of a symbol for given shapes and a mode: values and the instructions that compute them, in order.
///
/// A program is a value. The passes of the compiler (`Lowering`, `Fusion`, `LayoutAssignment`, `Autodiff`,
/// `RecomputationSearch`, `UpdatePass`) each return a new one, `Program.verify` checks it, and `MemoryPlan` places
/// every temporary value in memory. Every temporary is written by one instruction; in-place operation is the memory
/// plan's choice. Values that outlive a run (auxiliary states, parameters, the optimizer's states) are changed only by
/// instructions that declare it.
public struct Program: Sendable {
    /// A value's index in `values`.
    public typealias ValueID = Int

    /// Where a value lives, and for how long.
    public enum Kind: Sendable {
        /// Set from outside before a run: data, labels, output gradients.
        case input
        /// Lives as long as the parameter store.
        case parameter
        /// A state that operators change in place.
        case auxiliary
        /// A state of the optimizer, an average or a sum of gradients: also lives in the parameter store.
        case state
        /// Computed from parameters before a run, if they have changed.
        case derived
        /// Computed in each run.
        case temporary
    }

    /// An array that instructions read and write.
    public struct Value: Sendable {
        public var name: String
        public var shape: Shape
        public var kind: Kind
        public var layout: Layout
        public var type: ElementType

        public init(
            name: String, shape: Shape, kind: Kind, layout: Layout = .plain, type: ElementType = .float32
        ) {
            self.name = name
            self.shape = shape
            self.kind = kind
            self.layout = layout
            self.type = type
        }
    }

    /// The role of a value in an instruction.
    public enum Operand: Hashable, Sendable {
        case input(Int)
        case output(Int)
        /// A value that the forward pass saves for the backward pass.
        case saved(Int)
        /// The gradient of an output.
        case outputGradient(Int)
        /// A second summand of the gradient of output 0, which the kernel adds to the first.
        case secondOutputGradient
        /// The gradient of an input.
        case gradient(Int)
        /// A gradient that is added to `gradient(0)`.
        case accumulated
        /// A value that an instruction of the update changes in place: a parameter, a statistic or a state.
        case changed(Int)
        /// Flags that must all be set for an instruction of the update to change anything.
        case condition
        /// A factor that gradients are multiplied by.
        case scale

        /// Its index among the roles of its kind.
        var index: Int? {
            switch self {
            case .input(let i), .output(let i), .saved(let i), .outputGradient(let i), .gradient(let i),
                .changed(let i):
                i
            case .secondOutputGradient, .accumulated, .condition, .scale: nil
            }
        }

        init(_ read: BackwardPart.Read) {
            switch read {
            case .input(let i): self = .input(i)
            case .output(let i): self = .output(i)
            case .saved(let i): self = .saved(i)
            case .outputGradient(let i): self = .outputGradient(i)
            }
        }
    }

    /// What an instruction does.
    public enum Action: Sendable {
        case forward(any Operator)
        case backward(any Operator, part: Int)
        /// A forward instruction repeated in the backward pass, for a value that was not kept.
        case recompute(any Operator)
        /// input(0) + input(1), the gradients of a value that several layers read.
        case sum
        /// An operation after the gradients are known.
        case update(UpdateAction)

        /// The operator that it runs; nil for a sum or an update.
        public var op: (any Operator)? {
            switch self {
            case .forward(let op), .backward(let op, _), .recompute(let op): op
            case .sum, .update: nil
            }
        }
    }

    /// An action with the values that it reads and writes, each in a role.
    public struct Instruction: Sendable {
        /// The layer that it belongs to, for messages and profiles.
        public var layer: String
        public var action: Action
        public var reads: [(role: Operand, value: ValueID)]
        public var writes: [(role: Operand, value: ValueID)]
        /// For a backward instruction: the inputs of its forward instruction, for the shapes of those that it does not
        /// read.
        public var forwardInputs: [ValueID]

        /// Whether it belongs to the phases after the passes.
        var isUpdate: Bool { if case .update = action { true } else { false } }

        /// The values that it changes in place.
        public var changes: [ValueID] {
            reads.compactMap { if case .changed = $0.role { $0.value } else { nil } }
        }

        public init(
            layer: String, action: Action, reads: [(role: Operand, value: ValueID)],
            writes: [(role: Operand, value: ValueID)] = [], forwardInputs: [ValueID] = []
        ) {
            self.layer = layer
            self.action = action
            self.reads = reads
            self.writes = writes
            self.forwardInputs = forwardInputs
        }

        public func reading(_ role: Operand) -> ValueID? { Instruction.find(role, in: reads) }
        public func writing(_ role: Operand) -> ValueID? { Instruction.find(role, in: writes) }

        /// A layer may have thousands of operands, mostly in order.
        private static func find(_ role: Operand, in operands: [(role: Operand, value: ValueID)]) -> ValueID? {
            if let place = role.index, place < operands.count, operands[place].role == role {
                return operands[place].value
            }
            return operands.first { $0.role == role }?.value
        }
    }

    /// Inference has no gradients, and uses batch norm's moving statistics.
    public enum Mode: Sendable { case training, inference }

    public var mode: Mode
    public var values: [Value] = []
    /// The instructions that compute the derived values.
    public var preparation: [Instruction] = []
    /// In the order in which they run.
    public var instructions: [Instruction] = []
    /// Instructions from here on are the backward pass.
    public var backwardStart = 0
    /// The symbol's outputs.
    public var outputs: [ValueID] = []
    /// Variables by name.
    public var variables: [String: ValueID] = [:]
    /// Gradients by variable, after differentiation.
    public var gradients: [String: ValueID] = [:]
    /// The parameters that are trained, in the order of `StepInputs.numbers`.
    public var trained: [String] = []
    /// Those that are updated within the backward pass, as early as possible; their gradients do not outlive it.
    public var updatedEarly: Set<String> = []
    /// Whether gradients, and the values that updates use, keep their memory until the next backward pass: updates are
    /// done late.
    var holdsGradients = false
    /// Optimizer states, averages and sums, in the order in which they are saved.
    public var states: [ValueID] = []
    /// The meaning of each flag of a check.
    public var checks: [Check] = []
    /// For each output that is not a loss, the input that holds its gradient.
    public var heads: [Int: ValueID] = [:]

    public init(mode: Mode) { self.mode = mode }

    /// - Returns: its index.
    public mutating func add(_ value: Value) -> ValueID {
        values.append(value)
        return values.count - 1
    }

    /// The input with a name.
    package func input(_ name: String) -> ValueID? { values.firstIndex { $0.kind == .input && $0.name == name } }

    /// The batch size: the first axis of its inputs.
    package var rows: Int { values.first { $0.kind == .input }?.shape.dims.first ?? 0 }

    /// Values that must outlive the run: those that a caller can read.
    public var kept: Set<ValueID> {
        Set(outputs).union(gradients.lazy.filter { !updatedEarly.contains($0.key) }.map(\.value))
            .union(checks.map(\.value))
    }

    /// The value that shares its memory with an instruction's output, under another shape; nil if the output is
    /// computed.
    public func viewed(by instruction: Instruction) -> ValueID? {
        guard let op = instruction.action.op, op.isView, let source = instruction.reads.first?.value else { return nil }
        return values[source].kind == .input || values[source].kind == .temporary ? source : nil
    }

    /// The part of a step that an instruction belongs to.
    public func phase(of index: Int) -> Phases {
        if case .update(let action) = instructions[index].action { return action.phase }
        return index < backwardStart ? .forward : .backward
    }

    /// The instructions that read each value.
    public func consumers() -> [[Int]] {
        var result = Array(repeating: [Int](), count: values.count)
        for (index, instruction) in instructions.enumerated() {
            for (_, value) in instruction.reads { result[value].append(index) }
        }
        return result
    }
}
