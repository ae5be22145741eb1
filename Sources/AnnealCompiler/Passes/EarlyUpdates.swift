import AnnealCore

/// Lets the backward pass update parameters: each as soon as its gradient is complete and nothing reads it any more, so
/// that gradients live shortly and share memory.
package enum EarlyUpdates {
    /// Decides which parameters are updated early, so that passes know which gradients need not be kept.
    /// - Parameter elements: floats in memory from which on a parameter is; small ones save little memory and are better
    ///   updated all at once.
    package static func choose(in program: Program, from elements: Int) -> Program {
        var result = program
        result.updated = program.gradients.keys.sorted().filter { name in
            guard let parameter = program.variables[name], let gradient = program.gradients[name] else { return false }
            let value = program.values[parameter]
            return value.kind == .parameter && value.layout.elements(value.shape) >= elements
                && program.values[gradient].kind == .temporary && !program.outputs.contains(gradient)
        }
        return result
    }

    /// Puts each update behind the last instruction that has to do with the parameter or its gradient.
    package static func insert(into program: Program) throws -> Program {
        var last: [Program.ValueID: Int] = [:]
        for (index, instruction) in program.instructions.enumerated() {
            for (_, value) in instruction.reads + instruction.writes { last[value] = index }
        }
        var updates: [Int: [Program.Instruction]] = [:]
        for name in program.updated {
            guard let parameter = program.variables[name], let gradient = program.gradients[name],
                let place = [last[parameter], last[gradient]].compactMap({ $0 }).max()
            else { continue }
            updates[place, default: []].append(
                .init(
                    layer: name, action: .update, reads: [(.input(0), parameter), (.input(1), gradient)], writes: []))
        }
        var result = program
        result.instructions = []
        result.updated = []
        for (index, instruction) in program.instructions.enumerated() {
            result.instructions.append(instruction)
            for update in updates[index] ?? [] {
                result.instructions.append(update)
                result.updated.append(update.layer)
            }
        }
        try result.verify(after: "early updates")
        return result
    }
}
