import AnnealCore
import AnnealGraph

/// An operation of a plan, or of the loop around it, with its cost: for profiles and traces.
public struct OperationCost: Sendable {
    /// The phases of a training step.
    public enum Phase: String, Sendable, CaseIterable { case data, forward, backward, metrics, update, exchange }

    /// The layer that it belongs to; for a fused operation, that of the batch norm or addition that others joined.
    public var layer: String
    /// A description, e.g. `Convolution backward weights`.
    public var kind: String
    /// The part of a step that it belongs to.
    public var phase: Phase
    /// Floating-point operations that the algorithm of the definition needs.
    public var flops = 0.0
    /// Compulsory memory traffic: each operand read or written once, as if the caches were empty before and unlimited
    /// within.
    public var bytes = 0.0
    /// The shapes of the operator's inputs, except vectors, and of its output.
    public var shapes = ""
    /// The name of the implementation if there are several, with `+reorder` if it changes a layout.
    public var implementation = ""
    /// Layout changes inside its code.
    public var reorders = 0

    public init(layer: String, kind: String, phase: Phase, flops: Double = 0, bytes: Double = 0) {
        self.layer = layer
        self.kind = kind
        self.phase = phase
        self.flops = flops
        self.bytes = bytes
    }
}

extension OperationCost {
    /// A description of an instruction of a program.
    public init(_ program: Program, instruction index: Int, _ implementation: String, reorders: Int) {
        let instruction = program.instructions[index]
        let isBackward = index >= program.backwardStart
        self.init(layer: instruction.layer, kind: "", phase: isBackward ? .backward : .forward)
        let operands = Set((instruction.reads + instruction.writes).map(\.value))
        bytes = (Array(operands) + instruction.changes).reduce(0) {
            $0 + Double(program.values[$1].shape.count * MemoryLayout<Float>.size)
        }
        self.implementation = implementation
        self.reorders = reorders
        let outputs = instruction.writes.compactMap { write -> Shape? in
            if case .output = write.role { program.values[write.value].shape } else { nil }
        }
        switch instruction.action {
        case .forward(let op):
            describe(op, program.shapes(instruction.reads.map(\.value)), outputs)
            kind = "\(op.operation) forward"
        case .recompute(let op):
            describe(op, program.shapes(instruction.reads.map(\.value)), outputs)
            kind = "\(op.operation) again"
        case .update(let action):
            phase = .update
            kind = action.name
        case .backward(let op, _):
            var inputs: [Shape?] = program.shapes(instruction.forwardInputs)
            describe(op, program.shapes(instruction.forwardInputs), try? op.inferShapes(&inputs))
            let (pass, passes) = program.gradients(of: instruction)
            kind = "\(op.operation) \(pass)"
            flops *= passes
        case .sum:
            let shape = instruction.writes.first.map { program.values[$0.value].shape } ?? []
            kind = "sum of gradients"
            flops = Double(shape.count)
            shapes = "\(shape)"
        }
        if let op = instruction.action.op, op.changesLayoutOnly {
            kind = op.operation
        } else if reorders > 0 {
            self.implementation += "+reorder"
        }
    }

    /// Fills in an operator's shapes and the operations of its forward pass.
    private mutating func describe(_ op: any Operator, _ inputs: [Shape], _ outputs: [Shape]?) {
        guard let outputs, let output = outputs.first else { return }
        flops = op.flops(inputs: inputs, outputs: outputs)
        shapes = "\(inputs.filter { $0.rank > 1 }.map(\.description).joined(separator: " ")) -> \(output)"
    }

}

extension Program {
    fileprivate func shapes(_ ids: [ValueID]) -> [Shape] { ids.map { values[$0].shape } }

    /// The kind of a backward instruction, and its work in forward passes: one for the gradients of activations, one
    /// for those of parameters.
    fileprivate func gradients(of instruction: Instruction) -> (pass: String, passes: Double) {
        func isParameter(_ input: Int) -> Bool {
            values[instruction.forwardInputs[input]].kind == .parameter
        }
        let targets = instruction.writes.compactMap { write -> Int? in
            if case .gradient(let input) = write.role { input } else { nil }
        }
        let ofParameters = targets.contains(where: isParameter), ofData = !targets.allSatisfy(isParameter)
        guard instruction.forwardInputs.indices.contains(where: isParameter), ofData != ofParameters else {
            return ("backward", ofParameters && ofData ? 2 : 1)
        }
        return (ofData ? "backward data" : "backward weights", 1)
    }
}
