import AnnealCore
import AnnealGraph

/// What an operation of a plan, or of the loop around it, is and costs: what profiles and traces say of it.
package struct OperationCost: Sendable {
    /// What a training step consists of.
    package enum Phase: String, Sendable, CaseIterable { case data, forward, backward, metrics, update }

    /// The layer that it belongs to; of a fused operation, that of the batch norm or addition that others joined.
    package var layer: String
    /// What is done, e.g. `Convolution backward weights`.
    package var kind: String
    package var phase: Phase
    /// Floating-point operations, as the algorithm of the definition needs them.
    package var flops = 0.0
    /// Compulsory traffic: each operand read or written once, as if the caches held nothing before and all within.
    package var bytes = 0.0
    /// Of the operator's inputs but vectors, and of its output.
    package var shapes = ""
    /// The name of its code where there are several, with `+reorder` where it changes a layout.
    package var implementation = ""

    package init(layer: String, kind: String, phase: Phase, flops: Double = 0, bytes: Double = 0) {
        self.layer = layer
        self.kind = kind
        self.phase = phase
        self.flops = flops
        self.bytes = bytes
    }
}

extension Executor {
    /// What each kernel of the plan does, in the order in which they run.
    package var operations: [OperationCost] { steps.map(operation) }

    private func operation(_ step: PlannedStep) -> OperationCost {
        let instruction = program.instructions[step.instruction]
        let isBackward = step.instruction >= program.backwardStart
        var operation = OperationCost(layer: instruction.layer, kind: "", phase: isBackward ? .backward : .forward)
        let operands = Set((instruction.reads + instruction.writes).map(\.value))
        operation.bytes = operands.reduce(0) {
            $0 + Double(program.values[$1].shape.count * MemoryLayout<Float>.size)
        }
        operation.implementation = step.implementation
        let outputs = instruction.writes.compactMap { write -> Shape? in
            if case .output = write.role { program.values[write.value].shape } else { nil }
        }
        switch instruction.action {
        case .forward(let op):
            describe(&operation, op, instruction.reads.map(\.value), outputs)
            operation.kind = "\(op.operation) forward"
        case .recompute(let op):
            describe(&operation, op, instruction.reads.map(\.value), outputs)
            operation.kind = "\(op.operation) again"
        case .update:
            operation.phase = .update
            operation.kind = "update"
        case .backward(let op, _):
            var shapes: [Shape?] = instruction.forwardInputs.map { program.values[$0].shape }
            describe(&operation, op, instruction.forwardInputs, try? op.inferShapes(&shapes))
            let (pass, passes) = gradients(of: instruction)
            operation.kind = "\(op.operation) \(pass)"
            operation.flops *= passes
        case .sum:
            let shape = instruction.writes.first.map { program.values[$0.value].shape } ?? []
            operation.kind = "sum of gradients"
            operation.flops = Double(shape.count)
            operation.shapes = "\(shape)"
        }
        if let op = instruction.action.op, op.changesLayoutOnly {
            operation.kind = op.operation
        } else if step.reorders > 0 {
            operation.implementation += "+reorder"
        }
        return operation
    }

    /// Fills in an operator's shapes and the operations of its forward pass.
    private func describe(
        _ operation: inout OperationCost, _ op: any Operator, _ inputs: [Program.ValueID], _ outputs: [Shape]?
    ) {
        guard let outputs, let output = outputs.first else { return }
        let inputs = inputs.map { program.values[$0].shape }
        operation.flops = op.flops(inputs: inputs, outputs: outputs)
        operation.shapes = "\(inputs.filter { $0.rank > 1 }.map(\.description).joined(separator: " ")) -> \(output)"
    }

    /// What a backward instruction gives, and the forward passes that its work is worth: one for the gradients of
    /// activations, one for those of parameters.
    private func gradients(of instruction: Program.Instruction) -> (pass: String, passes: Double) {
        func isParameter(_ input: Int) -> Bool {
            program.values[instruction.forwardInputs[input]].kind == .parameter
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
