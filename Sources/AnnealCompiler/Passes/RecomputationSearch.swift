import AnnealCore
import AnnealGraph
import Foundation

/// Chooses which values of the forward pass are kept for the backward pass.
///
/// A choice has two numbers. The threshold: values that cost more work per float than this are always kept, e.g. the
/// outputs of convolutions. The budget: of the others, the forward pass keeps those that cross the narrowest places
/// between segments, each as long as the budget allows with everything kept before it; the backward pass reaches the
/// first segments last, when little else is alive, so these may be the longest. Pairs of both are tried, the memory of
/// each is counted exactly, and the smallest with allowed work is taken.
package struct RecomputationSearch {
    private let program: Program
    private let needs: [KernelNeeds]
    private let graph: ForwardGraph
    /// The work of repeating each forward instruction, in total and per float that it produces.
    private var work: [Double] = []
    private var density: [Double] = []
    /// Of the whole step without recomputation.
    private var totalWork = 0.0
    private let backwardReads: [Program.ValueID]

    /// Floating-point operations in the time of moving a float to or from memory.
    private static let flopsPerFloat = 40.0

    /// - Parameter needs: of each instruction.
    static func apply(_ limit: Recomputation, to program: Program, needs: [KernelNeeds], engine: any KernelEngine)
        throws
        -> Recomputed
    {
        let graph = ForwardGraph(program, repeatsFromSaved: engine.repeatsFromSaved)
        let search = RecomputationSearch(program, needs: needs, graph: graph)
        let result = Recomputed(program, graph: graph, kept: search.best(limit))
        try result.program.verify(after: "recomputation")
        return result
    }

    /// Whether each value is kept, for engines without kernels: the work comes from the operators' definitions.
    package static func kept(_ limit: Recomputation, in program: Program, graph: ForwardGraph) -> [Bool] {
        let needs = program.instructions.indices.map {
            KernelNeeds(flops: OperationCost(program, instruction: $0, "", reorders: 0).flops)
        }
        return RecomputationSearch(program, needs: needs, graph: graph).best(limit)
    }

    private init(_ program: Program, needs: [KernelNeeds], graph: ForwardGraph) {
        self.program = program
        self.needs = needs
        self.graph = graph
        backwardReads = Array(Set(program.instructions[program.backwardStart...].flatMap { $0.reads.map(\.value) }))
        for (index, instruction) in program.instructions.enumerated() {
            let floats = (instruction.reads + instruction.writes).reduce(0) { $0 + graph.size[$1.value] }
            let work = needs[index].flops + RecomputationSearch.flopsPerFloat * Double(floats)
            totalWork += work
            guard index < program.backwardStart else { continue }
            let given = instruction.writes.reduce(0) {
                $0 + (graph.isStatistic($1, of: index) ? 0 : graph.size[$1.value])
            }
            self.work.append(given == 0 ? 0 : work)
            // Layout changes should not be repeated.
            let isRelayout = instruction.action.op?.changesLayoutOnly == true
            density.append(isRelayout ? .infinity : given == 0 ? 0 : work / Double(given))
        }
    }

    private struct Candidate {
        let kept: [Bool]
        let peak: Int
        let work: Double
    }

    private func best(_ limit: Recomputation) -> [Bool] {
        let everything = Array(repeating: true, count: program.values.count)
        let unchanged = candidate(everything)
        var candidates = [unchanged]
        // Down to a twelfth; in fewer steps for programs with many thousands of instructions, where each step takes
        // long.
        let budgets = max(2, min(24, 60_000 / max(program.instructions.count, 1)))
        let factor = pow(0.9, 24 / Double(budgets))
        var seen: Set<[Bool]> = [everything]
        for threshold in thresholds where limit.share > 0 {
            let kept = keptAlways(threshold)
            var budget = Double(unchanged.peak)
            for _ in 0..<budgets {
                let choice = keeping(kept, budget: Int(budget))
                if seen.insert(choice).inserted {
                    let candidate = candidate(choice)
                    if candidate.work <= limit.share * totalWork { candidates.append(candidate) }
                }
                budget *= factor
            }
        }
        // The weights, an optimizer state for each of them, and the baseline of any process.
        let surroundings = program.values.reduce(16 << 20) {
            $1.kind == .parameter ? $0 + 2 * $1.layout.elements($1.shape) : $0
        }
        func cost(_ candidate: Candidate) -> Double {
            log(Double(candidate.peak + surroundings)) + limit.price * candidate.work / totalWork
        }
        return (candidates.min { cost($0) < cost($1) } ?? unchanged).kept
    }

    private func candidate(_ kept: [Bool]) -> Candidate {
        let result = Recomputed(program, graph: graph, kept: kept)
        let peak = Buffers(result.program, needs: result.origins.map { needs[$0] }).peak.floats
        var added = 0.0
        for (instruction, origin) in zip(result.program.instructions, result.origins) {
            if case .recompute = instruction.action { added += work[origin] }
        }
        return Candidate(kept: kept, peak: peak, work: added)
    }

    /// The upper limits of the groups of work per float: batch norm, additions, kinds of convolutions.
    private var thresholds: [Double] {
        let sorted = density.filter { $0.isFinite && $0 > 0 }.sorted()
        return sorted.indices.filter { $0 + 1 == sorted.count || sorted[$0 + 1] > 1.02 * sorted[$0] }.map { sorted[$0] }
    }

    private func keptAlways(_ threshold: Double) -> [Bool] {
        var kept = Array(repeating: true, count: program.values.count)
        for (index, instruction) in program.instructions[..<program.backwardStart].enumerated()
        where density[index] <= threshold {
            for write in instruction.writes { kept[write.value] = graph.isStatistic(write, of: index) }
        }
        for output in program.outputs {
            kept[output] = true
            kept[graph.root[output]] = true
        }
        return kept
    }

    /// With the values that cross the borders of segments, which are chosen from the front, each as long as the budget
    /// allows.
    private func keeping(_ always: [Bool], budget: Int) -> [Bool] {
        var kept = always
        var repeated = Set<Int>()
        graph.collect(backwardReads, kept: always, into: &repeated)
        let reads = lastReads(by: repeated)
        let wanted = Set(backwardReads.map { graph.root[$0] })
        let crossing = crossing(always, reads)
        var keptFloats = 0, segment = 0, border = 0
        for index in 0..<program.backwardStart {
            for (_, value) in program.instructions[index].writes {
                if !kept[value] {
                    if reads[value] >= 0 { segment += graph.size[value] }
                } else if reads[value] >= 0 || wanted.contains(value) {
                    keptFloats += graph.size[value]
                }
            }
            guard keptFloats + segment > budget, index > border else { continue }
            // The narrowest place after the last border; the last one if there are several.
            var place = index
            for other in stride(from: index - 1, to: border, by: -1) where crossing[other] < crossing[place] {
                place = other
            }
            // Older values were kept at an earlier border if they are read here at all.
            for earlier in border..<place {
                for (_, value) in program.instructions[earlier].writes where reads[value] >= place && !kept[value] {
                    kept[value] = true
                    keptFloats += graph.size[value]
                }
            }
            border = place
            segment = 0
            for earlier in border...index {
                for (_, value) in program.instructions[earlier].writes where reads[value] >= 0 && !kept[value] {
                    segment += graph.size[value]
                }
            }
        }
        // The backward pass begins with the last segment: it would be recomputed immediately.
        for index in border..<program.backwardStart {
            for (_, value) in program.instructions[index].writes where reads[value] >= 0 { kept[value] = true }
        }
        return kept
    }

    /// For each value, the last repeated instruction that reads its memory; -1 if there is none.
    private func lastReads(by repeated: Set<Int>) -> [Int] {
        var result = Array(repeating: -1, count: program.values.count)
        for index in repeated where !(program.instructions[index].action.op?.isView ?? false) {
            for (_, value) in program.instructions[index].reads {
                let root = graph.root[value]
                result[root] = max(result[root], index)
            }
        }
        return result
    }

    /// Floats that would have to be kept for a segment border before each instruction.
    private func crossing(_ kept: [Bool], _ reads: [Int]) -> [Int] {
        var result = Array(repeating: 0, count: program.backwardStart + 2)
        for (value, read) in reads.enumerated() where read >= 0 && !kept[value] {
            guard let producer = graph.producer[value] else { continue }
            result[producer + 1] += graph.size[value]
            result[read + 1] -= graph.size[value]
        }
        for index in 1..<result.count { result[index] += result[index - 1] }
        return result
    }
}
