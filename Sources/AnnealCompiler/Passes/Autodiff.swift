import AnnealCore
import AnnealGraph

/// Appends the backward pass: for each forward instruction, last first, the parts of its operator's gradient that lead
/// to a requested variable. Sums of gradients are explicit, or folded into the kernel that computes the last one.
package enum Autodiff {
    /// - Parameter engine: nil if no kernel sums gradients itself: then each sum is an instruction.
    package static func differentiate(_ program: Program, wanted: Set<String>, engine: (any KernelEngine)?) throws
        -> Program
    {
        var result = program
        result.backwardStart = program.instructions.count

        // The values that depend on a requested variable.
        var leads = Array(repeating: false, count: program.values.count)
        for name in wanted { if let value = program.variables[name] { leads[value] = true } }
        for instruction in program.instructions where instruction.reads.contains(where: { leads[$0.value] }) {
            for (role, value) in instruction.writes { if case .output = role { leads[value] = true } }
        }

        var gradients: [Program.ValueID: Program.ValueID] = [:]
        func gradientValue(of value: Program.ValueID) -> Program.ValueID {
            let primal = program.values[value]
            return result.add(
                .init(name: "\(primal.name)_gradient", shape: primal.shape, kind: .temporary, layout: primal.layout))
        }
        func contribute(_ gradient: Program.ValueID, to value: Program.ValueID, layer: String) {
            guard let earlier = gradients[value] else {
                gradients[value] = gradient
                return
            }
            let total = gradientValue(of: value)
            result.instructions.append(
                .init(
                    layer: layer, action: .sum, reads: [(.input(0), earlier), (.input(1), gradient)],
                    writes: [(.output(0), total)]))
            gradients[value] = total
        }

        let losses = Set(
            program.instructions.filter { $0.action.op?.isLoss == true }.flatMap { $0.writes.map(\.value) })
        for (index, output) in program.outputs.enumerated() where leads[output] {
            guard !losses.contains(output), result.heads[index] == nil else { continue }
            var head = program.values[output]
            head.name = "head:\(index)"
            head.kind = .input
            head.layout = .plain
            var id = result.add(head)
            result.heads[index] = id
            let layout = program.values[output].layout
            if !layout.isSameMemory(as: .plain, head.shape) {
                let copy = gradientValue(of: output)
                result.instructions.append(
                    .init(
                        layer: head.name, action: .forward(Relayout()), reads: [(.input(0), id)],
                        writes: [(.output(0), copy)]))
                id = copy
            }
            contribute(id, to: output, layer: head.name)
        }

        for instruction in program.instructions.reversed() {
            guard let op = instruction.action.op else { continue }
            if op.isSum {
                // Each input's gradient is the output's own, passed on without a copy.
                guard let head = gradients[instruction.writes[0].value] else { continue }
                for (_, value) in instruction.reads where leads[value] {
                    contribute(head, to: value, layer: instruction.layer)
                }
                continue
            }
            for (partIndex, part) in op.backward.enumerated() {
                let sharing = part.sharing.filter { leads[instruction.reads[$0].value] }
                // A gradient that others share is computed for them.
                let targets = part.writes.filter { target in
                    leads[instruction.reads[target].value] || target == part.writes[0] && !sharing.isEmpty
                }
                guard !targets.isEmpty else { continue }
                var reads: [(role: Program.Operand, value: Program.ValueID)] = []
                var heads = 0
                for read in part.reads {
                    let role = Program.Operand(read)
                    switch read {
                    case .input(let i): reads.append((role, instruction.reads[i].value))
                    case .output(let i): reads.append((role, instruction.writes[i].value))
                    case .saved: if let value = instruction.writing(role) { reads.append((role, value)) }
                    case .outputGradient(let i):
                        if let value = gradients[instruction.writes[i].value] {
                            reads.append((role, value))
                            heads += 1
                        }
                    }
                }
                let readsOutputGradients = part.reads.contains { if case .outputGradient = $0 { true } else { false } }
                guard heads > 0 || !readsOutputGradients else { continue }

                var writes: [(role: Program.Operand, value: Program.ValueID)] = []
                var folded = false
                for target in targets {
                    let value = instruction.reads[target].value
                    if target == part.writes[0], sharing.isEmpty, let earlier = gradients[value],
                        engine?.accumulates(op, part: partIndex) == true
                    {
                        reads.append((.accumulated, earlier))
                        folded = true
                    }
                    writes.append((.gradient(target), gradientValue(of: value)))
                }
                result.instructions.append(
                    .init(
                        layer: instruction.layer, action: .backward(op, part: partIndex), reads: reads, writes: writes,
                        forwardInputs: instruction.reads.map(\.value)))
                for (position, target) in targets.enumerated() where leads[instruction.reads[target].value] {
                    let value = instruction.reads[target].value
                    if position == 0 && folded && target == part.writes[0] {
                        gradients[value] = writes[position].value
                    } else {
                        contribute(writes[position].value, to: value, layer: instruction.layer)
                    }
                }
                for input in sharing {
                    contribute(writes[0].value, to: instruction.reads[input].value, layer: instruction.layer)
                }
            }
        }
        for name in wanted {
            if let value = program.variables[name], let gradient = gradients[value] {
                result.gradients[name] = gradient
            }
        }
        if let engine { foldSums(&result, engine: engine) }
        try result.verify(after: "differentiation")
        return result
    }

    /// A sum of gradients that only one kernel reads, as its output gradient, is folded into that kernel if it accepts
    /// two.
    private static func foldSums(_ program: inout Program, engine: any KernelEngine) {
        let consumers = program.consumers(), kept = program.kept
        var dropped = Set<Int>()
        for (index, instruction) in program.instructions.enumerated() {
            guard case .sum = instruction.action, let total = instruction.writing(.output(0)), !kept.contains(total),
                consumers[total].count == 1, let reader = consumers[total].first,
                case .backward(let op, let part) = program.instructions[reader].action,
                engine.addsOutputGradients(op, part: part, writes: program.instructions[reader].writes.map(\.role)),
                let head = program.instructions[reader].reads.firstIndex(where: {
                    $0.role == .outputGradient(0) && $0.value == total
                })
            else { continue }
            program.instructions[reader].reads[head].value = instruction.reads[0].value
            program.instructions[reader].reads.append((.secondOutputGradient, instruction.reads[1].value))
            dropped.insert(index)
        }
        program.instructions = program.instructions.enumerated().filter { !dropped.contains($0.offset) }.map(\.element)
    }
}
