import AnnealCore
import AnnealGraph

package enum Fusion {
    /// Fuses operators that allow it (BatchNorm) with an addition and ReLU, and an addition with ReLU, if nothing else
    /// reads the intermediate values.
    package static func fuse(_ program: Program) throws -> Program {
        var result = program
        let consumers = program.consumers()
        let outputs = Set(program.outputs)
        var dropped = Set<Int>()

        /// The only instruction that reads a value that is not an output.
        func onlyReader(_ value: Program.ValueID) -> Int? {
            consumers[value].count == 1 && !outputs.contains(value) ? consumers[value][0] : nil
        }
        func isReLU(_ index: Int) -> Bool { program.instructions[index].action.op?.isReLU == true }

        for (index, instruction) in program.instructions.enumerated() {
            guard let op = instruction.action.op as? any JoinsInTraining, op.joins else { continue }
            var last = index
            var addend: Program.ValueID?
            var relu = false
            if let next = onlyReader(instruction.writes[0].value) {
                if isReLU(next) {
                    (last, relu) = (next, true)
                } else if program.instructions[next].addsTwo, !dropped.contains(next) {
                    let reads = program.instructions[next].reads.map(\.value)
                    let other = reads[0] == instruction.writes[0].value ? reads[1] : reads[0]
                    last = next
                    addend = other
                    if let after = onlyReader(program.instructions[next].writes[0].value), isReLU(after) {
                        (last, relu) = (after, true)
                    }
                    // The addition is now part of this operator and unavailable to others.
                    dropped.insert(next)
                }
            }
            // It runs where the last of them ran, when everything that it reads is available.
            var fused = instruction
            fused.action = .forward(op.joined(adds: addend != nil, relu: relu))
            if let addend { fused.reads.append((op.addend, addend)) }
            fused.writes[0] = (.output(0), program.instructions[last].writes[0].value)
            dropped.insert(index)
            dropped.remove(last)
            result.instructions[last] = fused
        }
        for (index, instruction) in program.instructions.enumerated()
        where instruction.addsTwo && !dropped.contains(index) {
            guard result.instructions[index].addsTwo,
                let next = onlyReader(instruction.writes[0].value), isReLU(next)
            else { continue }
            var fused = instruction
            fused.action = .forward(AddReLU())
            fused.writes[0] = program.instructions[next].writes[0]
            result.instructions[next] = fused
            dropped.insert(index)
        }
        result.instructions = result.instructions.enumerated().filter { !dropped.contains($0.offset) }.map(\.element)
        result.backwardStart = result.instructions.count
        try result.verify(after: "fusion")
        return result
    }
}

extension Program.Instruction {
    /// Whether it adds two values.
    var addsTwo: Bool { action.op?.isSum == true && reads.count == 2 }
}
