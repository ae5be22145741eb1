import AnnealCore

/// Assigns every value of a program an offset in one arena: values that are never alive together share memory.
///
/// Buffers are placed one after another, each at the lowest offset that is free during its lifetime. No order is the
/// best for all networks: largest first (the greedy strategy by size of Pisarchyk and Lee 2020, "Efficient memory
/// management for deep neural net inference"), the same after what is alive at the peak, by size times lifetime and by
/// first use are tried, and the smallest plan is taken. Each attempt takes time quadratic in the number of buffers, so
/// thousands of buffers get fewer attempts, and tens of thousands only one pass in order of first use.
package struct MemoryPlan: Sendable {
    /// In floats from the arena's start; nil for parameters and auxiliary states, which live in their store.
    package let offsets: [Int?]
    /// In floats, for each instruction that needs scratch.
    package let scratchOffsets: [Int?]
    /// Floats.
    package let size: Int
    /// The maximum number of floats alive at once: no plan is smaller.
    package let lowerBound: Int

    /// 64 bytes: a cache line and the widest vector.
    private static let grain = 16

    /// - Parameter needs: one per instruction.
    package init(_ program: Program, needs: [KernelNeeds]) {
        let buffers = Buffers(program, needs: needs)
        let all = buffers.all, peak = buffers.peak
        lowerBound = peak.floats
        let orders: [(Buffers.Buffer) -> Int] = [
            { $0.size },
            { $0.size + ($0.first <= peak.instruction && peak.instruction <= $0.last ? peak.floats : 0) },
            { $0.size * ($0.last - $0.first + 1) }, { -$0.first },
        ]
        let isLarge = all.count > MemoryPlan.manyBuffers
        var best = isLarge ? MemoryPlan.sweep(all) : (offsets: [], size: .max)
        var tries = isLarge ? 6 * MemoryPlan.manyBuffers * MemoryPlan.manyBuffers / (all.count * all.count) : .max
        for rank in orders where tries > 0 {
            var order = all.indices.sorted { (rank(all[$0]), $1) > (rank(all[$1]), $0) }
            for _ in 0..<8 where best.size > lowerBound + lowerBound / 200 && tries > 0 {
                tries -= 1
                let plan = MemoryPlan.place(all, order)
                if plan.size < best.size { best = plan }
                // Buffers that reach the top are placed first in the next round.
                func standsOut(_ index: Int) -> Bool {
                    MemoryPlan.aligned(plan.offsets[index] + all[index].size) == plan.size
                }
                order = order.filter(standsOut) + order.filter { !standsOut($0) }
            }
        }
        offsets = buffers.ofValue.map { $0 < 0 ? nil : best.offsets[$0] }
        scratchOffsets = buffers.ofScratch.map { $0.map { best.offsets[$0] } }
        size = best.size
    }

    private static func place(_ buffers: [Buffers.Buffer], _ order: [Int]) -> (offsets: [Int], size: Int) {
        var offsets = Array(repeating: 0, count: buffers.count)
        var placed: [(offset: Int, end: Int, first: Int, last: Int)] = []
        var size = 0
        for index in order {
            let buffer = buffers[index]
            var offset = 0
            for other in placed where other.first <= buffer.last && buffer.first <= other.last {
                if offset + buffer.size <= other.offset { break }
                offset = max(offset, other.end)
            }
            offsets[index] = offset
            let end = aligned(offset + buffer.size)
            // Kept in order of offset.
            placed.insert(
                (offset, end, buffer.first, buffer.last),
                at: placed.firstIndex { $0.offset > offset } ?? placed.count)
            size = max(size, end)
        }
        return (offsets, size)
    }

    private static let manyBuffers = 4096

    /// In order of first use, at the lowest offset that is then free: the time grows only with buffers and gaps.
    private static func sweep(_ buffers: [Buffers.Buffer]) -> (offsets: [Int], size: Int) {
        var offsets = Array(repeating: 0, count: buffers.count)
        var ends: [Int: [Int]] = [:]
        // Free pieces below `size`, in order of offset; none of them touch.
        var gaps: [(offset: Int, end: Int)] = []
        var size = 0
        func free(_ offset: Int, _ end: Int) {
            guard end > offset else { return }
            var low = 0, high = gaps.count
            while low < high {
                let middle = (low + high) / 2
                if gaps[middle].offset < offset { low = middle + 1 } else { high = middle }
            }
            var piece = (offset: offset, end: end), range = low..<low
            if low < gaps.count, gaps[low].offset == end {
                piece.end = gaps[low].end
                range = low..<low + 1
            }
            if low > 0, gaps[low - 1].end == offset {
                piece.offset = gaps[low - 1].offset
                range = low - 1..<range.upperBound
            }
            gaps.replaceSubrange(range, with: CollectionOfOne(piece))
        }
        let order = buffers.indices.sorted { (buffers[$0].first, $0) < (buffers[$1].first, $1) }
        var now = -1
        for index in order {
            let buffer = buffers[index], wanted = aligned(buffer.size)
            while now < buffer.first {
                for other in ends.removeValue(forKey: now) ?? [] {
                    free(offsets[other], offsets[other] + aligned(buffers[other].size))
                }
                now += 1
            }
            if let gap = gaps.firstIndex(where: { $0.end - $0.offset >= wanted }) {
                offsets[index] = gaps[gap].offset
                gaps[gap].offset += wanted
                if gaps[gap].offset == gaps[gap].end { gaps.remove(at: gap) }
            } else if let last = gaps.last, last.end == size {
                offsets[index] = last.offset
                gaps.removeLast()
                size = last.offset + wanted
            } else {
                offsets[index] = size
                size += wanted
            }
            ends[max(buffer.last, buffer.first), default: []].append(index)
        }
        return (offsets, size)
    }

    static func aligned(_ count: Int) -> Int { (count + grain - 1) / grain * grain }
}
