import AnnealCore
import AnnealGraph

/// The layouts in which an operator's kernels take their inputs and return their outputs.
public struct OperandLayouts {
    public var inputs: [Layout]
    public var outputs: [Layout]

    public init(inputs: [Layout], outputs: [Layout]) {
        self.inputs = inputs
        self.outputs = outputs
    }
}

/// Propagates the layouts that convolutions prefer through the forward pass; gradients use their values' layouts.
package enum LayoutAssignment {
    /// - Parameter fixed: layouts that parameters already have, from an earlier program over the same store.
    package static func assign(_ program: Program, engine: any KernelEngine, fixed: [String: Layout]) throws -> Program
    {
        var result = program
        result.instructions = []
        var settled = Set<Program.ValueID>()
        for (name, layout) in fixed {
            guard let value = program.variables[name] else { continue }
            result.values[value].layout = layout
            settled.insert(value)
        }
        /// Copies of a value in other layouts.
        var copies: [Program.ValueID: [Layout: Program.ValueID]] = [:]

        for var instruction in program.instructions {
            guard let op = instruction.action.op else { continue }
            let inputs = instruction.reads.map { result.values[$0.value] }
            let outputs = instruction.writes.filter { if case .output = $0.role { true } else { false } }
            // The layout of a parameter, or of a value derived from it, is free until an instruction determines it.
            func isParameter(_ id: Program.ValueID) -> Bool {
                result.values[id].kind == .parameter || result.values[id].kind == .derived
            }
            let given = instruction.reads.map { read -> Layout? in
                isParameter(read.value) && !settled.contains(read.value) ? nil : result.values[read.value].layout
            }
            let wanted = try engine.layouts(
                op, inputs: inputs.map(\.shape), outputs: outputs.map { result.values[$0.value].shape }, given: given,
                mode: program.mode, layer: instruction.layer)
            for (index, layout) in wanted.inputs.enumerated() {
                let id = instruction.reads[index].value
                let value = result.values[id]
                if value.layout.isSameMemory(as: layout, value.shape) {
                    if isParameter(id) { settled.insert(id) }
                    continue
                }
                if isParameter(id), !settled.contains(id) {
                    result.values[id].layout = layout
                    settled.insert(id)
                } else if let copy = copies[id]?[layout] {
                    instruction.reads[index].value = copy
                } else {
                    let copy = result.add(
                        .init(name: "\(value.name)_relayout", shape: value.shape, kind: .temporary, layout: layout))
                    copies[id, default: [:]][layout] = copy
                    result.instructions.append(
                        .init(
                            layer: value.name, action: .forward(Relayout()), reads: [(.input(0), id)],
                            writes: [(.output(0), copy)]))
                    instruction.reads[index].value = copy
                }
            }
            for (write, layout) in zip(outputs, wanted.outputs) { result.values[write.value].layout = layout }
            // Pooling saves one number for each element of its output.
            for (role, value) in instruction.writes {
                if case .saved = role, let first = outputs.first,
                    result.values[value].shape == result.values[first.value].shape
                {
                    result.values[value].layout = result.values[first.value].layout
                }
            }
            result.instructions.append(instruction)
        }
        result.backwardStart = result.instructions.count
        try result.verify(after: "layout assignment")
        return result
    }
}
