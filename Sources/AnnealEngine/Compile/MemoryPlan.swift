import AnnealCore
import AnnealGraph

/// A place for every value of a program in one arena: values that are never alive together share memory.
///
/// Values that share memory by design (views, and outputs that a kernel may write over its input) form one buffer.
/// Buffers are placed by size, largest first, each at the lowest offset where nothing alive at the same time lies
/// (the greedy strategy by size of Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference").
package struct MemoryPlan: Sendable {
    /// In floats from the arena's start; nil for parameters and auxiliary states, which live in their store.
    package let offsets: [Int?]
    /// In floats, for each instruction that wants scratch.
    package let scratchOffsets: [Int?]
    /// Floats.
    package let size: Int

    /// 64 bytes: a cache line and the widest vector.
    private static let grain = 16

    private struct Buffer {
        var size: Int
        var first: Int
        var last: Int
        var offset = 0
    }

    /// - Parameters:
    ///   - scratch: floats of scratch for each instruction.
    ///   - inPlace: for each instruction, pairs (read, written) of roles that may share memory.
    package init(
        _ program: Program, scratch: [Int], inPlace: [[(read: Program.Operand, written: Program.Operand)]]
    ) {
        let count = program.instructions.count
        var first = Array(repeating: Int.max, count: program.values.count)
        var last = Array(repeating: -1, count: program.values.count)
        for (index, instruction) in program.instructions.enumerated() {
            for (_, value) in instruction.writes { first[value] = min(first[value], index) }
            for (_, value) in instruction.reads + instruction.writes { last[value] = max(last[value], index) }
        }
        // Inputs are written before the run, kept values are read after it.
        for (index, value) in program.values.enumerated() where value.kind == .input {
            first[index] = -1
            last[index] = count
        }
        for value in program.kept { last[value] = count }

        // Buffers: a value joins its viewed value's, or that of an input that dies where it is written.
        var bufferOf = Array(repeating: -1, count: program.values.count)
        var buffers: [Buffer] = []
        func place(_ value: Int) {
            bufferOf[value] = buffers.count
            let size = program.values[value].layout.elements(program.values[value].shape)
            buffers.append(Buffer(size: size, first: first[value], last: last[value]))
        }
        for value in program.values.indices where program.values[value].kind == .input { place(value) }
        for (index, instruction) in program.instructions.enumerated() {
            for (role, value) in instruction.writes {
                if let viewed = program.viewed(by: instruction) {
                    bufferOf[value] = bufferOf[viewed]
                } else if let candidate = inPlace[index].lazy.filter({ $0.written == role }).compactMap({
                    pair -> Int? in
                    guard let read = instruction.reading(pair.read), program.values[read].kind == .temporary else {
                        return nil
                    }
                    let buffer = bufferOf[read]
                    guard buffers[buffer].last <= index,
                        buffers[buffer].size >= program.values[value].layout.elements(program.values[value].shape),
                        !instruction.writes.contains(where: { $0.value != value && bufferOf[$0.value] == buffer })
                    else { return nil }
                    // No other operand of the instruction may lie in the memory that is written over.
                    let readers = instruction.reads.filter { bufferOf[$0.value] == buffer && $0.role != pair.read }
                    return readers.isEmpty ? buffer : nil
                }).first {
                    bufferOf[value] = candidate
                } else {
                    place(value)
                    continue
                }
                buffers[bufferOf[value]].last = max(buffers[bufferOf[value]].last, last[value])
            }
        }
        var scratchBuffer: [Int?] = []
        for (index, size) in scratch.enumerated() {
            scratchBuffer.append(size > 0 ? buffers.count : nil)
            if size > 0 { buffers.append(Buffer(size: size, first: index, last: index)) }
        }

        var placed: [Int] = []
        var size = 0
        for index in buffers.indices.sorted(by: { (buffers[$0].size, $1) > (buffers[$1].size, $0) }) {
            let buffer = buffers[index]
            var offset = 0
            for other in placed where buffers[other].first <= buffer.last && buffer.first <= buffers[other].last {
                if offset + buffer.size <= buffers[other].offset { break }
                offset = max(offset, MemoryPlan.aligned(buffers[other].offset + buffers[other].size))
            }
            buffers[index].offset = offset
            // Kept in order of offset.
            placed.insert(index, at: placed.firstIndex { buffers[$0].offset > offset } ?? placed.count)
            size = max(size, MemoryPlan.aligned(offset + buffer.size))
        }
        offsets = bufferOf.map { $0 < 0 ? nil : buffers[$0].offset }
        scratchOffsets = scratchBuffer.map { $0.map { buffers[$0].offset } }
        self.size = size
    }

    private static func aligned(_ count: Int) -> Int { (count + grain - 1) / grain * grain }
}
