import AnnealCore

/// Which values of a program share memory, and from which to which instruction each piece of memory is needed.
///
/// Values that share memory by design (views, and outputs that a kernel may write over its input) form one buffer; so
/// does the scratch of one instruction.
struct Buffers {
    struct Buffer {
        /// Floats.
        let size: Int
        /// The instructions that write it first and read it last; -1 and the program's end for memory that exists
        /// before and after the run.
        var first: Int
        var last: Int
    }

    private(set) var all: [Buffer] = []
    /// The buffer of each value; -1 for parameters and auxiliary states, which live in their store.
    private(set) var ofValue: [Int]
    /// The buffer of each instruction's scratch; nil if it needs none.
    private(set) var ofScratch: [Int?] = []
    private let instructions: Int

    /// - Parameter needs: one per instruction.
    init(_ program: Program, needs: [KernelNeeds]) {
        instructions = program.instructions.count
        var first = Array(repeating: Int.max, count: program.values.count)
        var last = Array(repeating: -1, count: program.values.count)
        for (index, instruction) in program.instructions.enumerated() {
            for (_, value) in instruction.writes {
                first[value] = min(first[value], index)
                last[value] = max(last[value], index)
            }
            for (_, value) in instruction.reads { last[value] = max(last[value], index) }
        }
        // Inputs are written before the run, kept values are read after it.
        for (index, value) in program.values.enumerated() where value.kind == .input {
            first[index] = -1
            last[index] = instructions
        }
        for value in program.kept { last[value] = instructions }
        let held = Self.held(program)
        for value in held { (first[value], last[value]) = (-1, instructions) }

        ofValue = Array(repeating: -1, count: program.values.count)
        func place(_ value: Int) {
            ofValue[value] = all.count
            let size = program.values[value].layout.elements(program.values[value].shape)
            all.append(Buffer(size: size, first: first[value], last: last[value]))
        }
        for value in program.values.indices where program.values[value].kind == .input { place(value) }
        for (index, instruction) in program.instructions.enumerated() {
            let viewed = program.viewed(by: instruction)
            for (role, value) in instruction.writes {
                let isHeld = held.contains(value)
                if let shared = viewed.map({ ofValue[$0] })
                    ?? (isHeld ? nil : writable(role, of: index, program, needs[index].inPlace))
                {
                    ofValue[value] = shared
                    all[shared].first = min(all[shared].first, first[value])
                    all[shared].last = max(all[shared].last, last[value])
                } else {
                    place(value)
                }
            }
        }
        for (index, needs) in needs.enumerated() {
            ofScratch.append(needs.scratch > 0 ? all.count : nil)
            guard needs.scratch > 0 else { continue }
            let isHeld = program.holdsGradients && program.instructions[index].isUpdate
            all.append(
                Buffer(size: needs.scratch, first: isHeld ? -1 : index, last: isHeld ? instructions : index))
        }
    }

    /// Values that are needed while the next forward pass runs: gradients, and what updates write.
    private static func held(_ program: Program) -> Set<Program.ValueID> {
        guard program.holdsGradients else { return [] }
        let written = program.instructions.filter(\.isUpdate).flatMap { $0.writes.map(\.value) }
        var held = Set(program.gradients.values).union(written.filter { program.values[$0].kind == .temporary })
        // A view lies in its source's memory.
        for instruction in program.instructions.reversed() {
            guard let source = program.viewed(by: instruction),
                instruction.writes.contains(where: { held.contains($0.value) })
            else { continue }
            held.insert(source)
        }
        return held
    }

    /// The buffer of an input that is read for the last time here, if the output may be written over it.
    private func writable(
        _ role: Program.Operand, of index: Int, _ program: Program, _ pairs: [KernelNeeds.InPlace]
    ) -> Int? {
        let instruction = program.instructions[index]
        for pair in pairs where pair.written == role {
            guard let read = instruction.reading(pair.read), let written = instruction.writing(role),
                program.values[read].kind == .temporary
            else { continue }
            let buffer = ofValue[read]
            guard all[buffer].last <= index,
                all[buffer].size >= program.values[written].layout.elements(program.values[written].shape),
                !instruction.writes.contains(where: { $0.value != written && ofValue[$0.value] == buffer }),
                // No other operand of the instruction may share the memory that is written over.
                !instruction.reads.contains(where: { ofValue[$0.value] == buffer && $0.role != pair.read })
            else { continue }
            return buffer
        }
        return nil
    }

    /// The maximum number of floats alive at once, and at which instruction: no plan can be smaller.
    var peak: (floats: Int, instruction: Int) {
        // Index 0 is before the run.
        var change = Array(repeating: 0, count: instructions + 3)
        for buffer in all {
            let size = MemoryPlan.aligned(buffer.size)
            change[buffer.first + 1] += size
            change[buffer.last + 2] -= size
        }
        var living = 0, peak = (floats: 0, instruction: 0)
        for (index, step) in change.enumerated() {
            living += step
            if living > peak.floats { peak = (living, index - 1) }
        }
        return peak
    }
}
