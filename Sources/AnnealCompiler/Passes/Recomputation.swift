import AnnealCore
import AnnealGraph

/// How much of the forward pass may be recomputed in the backward pass rather than kept until then.
///
/// Every choice gives the same bits. Chen, Xu, Zhang and Guestrin 2016, "Training deep nets with sublinear memory cost"
/// (arXiv:1604.06174); MXNet's memonger.
public struct Recomputation: Sendable, Equatable {
    /// The maximum additional work, relative to a step's.
    let share: Double
    /// Relative memory saved per relative work added that is required.
    let price: Double

    package init(share: Double, price: Double) {
        self.share = share
        self.price = price
    }

    /// Nothing is recomputed.
    public static let off = Recomputation(share: 0, price: 0)
    /// Recomputes what is cheap for the memory that it saves: batch norm with saved statistics, additions, activations,
    /// and if activations are large also convolutions with few channels.
    public static let cheap = Recomputation(share: 0.14, price: 4)
    /// Convolutions too: up to one more forward pass, for little memory.
    public static let full = Recomputation(share: 0.33, price: 1.5)
}

/// A program in which the backward pass recomputes the values of the forward pass that are not kept.
///
/// Each value is recomputed just before the backward pass first reads it, in forward order and together with the values
/// that it needs and that are not available either, and lives until the backward pass has last read it: a chain between
/// two kept values is recomputed as a whole.
package struct Recomputed {
    package private(set) var program: Program
    /// For each instruction, the one of the original program that it is or repeats.
    package private(set) var origins: [Int] = []

    /// - Parameter kept: of each value.
    package init(_ original: Program, graph: ForwardGraph, kept: [Bool]) {
        program = original
        program.instructions.removeAll(keepingCapacity: true)
        var again: [Program.ValueID: Program.ValueID] = [:]
        for (index, instruction) in original.instructions.enumerated() {
            guard index >= original.backwardStart else {
                append(instruction, origin: index)
                continue
            }
            var repeated = Set<Int>()
            graph.collect(instruction.reads.map(\.value), kept: kept, into: &repeated) { again[$0] != nil }
            for source in repeated.sorted() { append(clone(graph, source, original, &again), origin: source) }
            var reading = instruction
            for (position, read) in instruction.reads.enumerated() {
                if !kept[read.value], let other = again[read.value] { reading.reads[position].value = other }
            }
            append(reading, origin: index)
        }
    }

    private mutating func append(_ instruction: Program.Instruction, origin: Int) {
        program.instructions.append(instruction)
        origins.append(origin)
    }

    /// Repeats the instruction, with new values for its outputs.
    private mutating func clone(
        _ graph: ForwardGraph, _ index: Int, _ original: Program, _ again: inout [Program.ValueID: Program.ValueID]
    ) -> Program.Instruction {
        var instruction = original.instructions[index]
        if let op = instruction.action.op { instruction.action = .recompute(op) }
        for (position, read) in instruction.reads.enumerated() {
            if let other = again[read.value] { instruction.reads[position].value = other }
        }
        instruction.reads += instruction.writes.filter { graph.isStatistic($0, of: index) }
        instruction.writes.removeAll { graph.isStatistic($0, of: index) }
        for (position, write) in instruction.writes.enumerated() {
            var value = program.values[write.value]
            value.name += "_again"
            let copy = program.add(value)
            again[write.value] = copy
            instruction.writes[position].value = copy
        }
        return instruction
    }
}

/// What recomputation needs to know about the forward pass of a differentiated program.
package struct ForwardGraph {
    /// The forward instruction that computes each value; nil for variables and values of the backward pass.
    private(set) var producer: [Int?]
    /// The value that each value is a view of; usually the value itself.
    private(set) var root: [Program.ValueID]
    /// The floats that each value itself occupies; 0 for views.
    private(set) var size: [Int]
    private var repeatsFromSaved: [Bool] = []
    /// What it reads of values that a forward instruction computes.
    private let sources: [[Program.ValueID]]

    /// - Parameter repeatsFromSaved: as in `KernelEngine`.
    package init(_ program: Program, repeatsFromSaved isRepeated: (any Operator) -> Bool) {
        producer = Array(repeating: nil, count: program.values.count)
        root = Array(program.values.indices)
        size = program.values.map { MemoryPlan.aligned($0.layout.elements($0.shape)) }
        var sources: [[Program.ValueID]] = []
        for (index, instruction) in program.instructions[..<program.backwardStart].enumerated() {
            let viewed = program.viewed(by: instruction)
            for (_, value) in instruction.writes {
                producer[value] = index
                if let viewed {
                    root[value] = root[viewed]
                    size[value] = 0
                }
            }
            repeatsFromSaved.append(instruction.action.op.map(isRepeated) ?? false)
            sources.append(instruction.reads.map(\.value).filter { [producer] in producer[$0] != nil })
        }
        self.sources = sources
    }

    /// Whether a repeated forward instruction reads there what it otherwise writes: the statistics of batch norm, which
    /// are small and always kept.
    func isStatistic(_ write: (role: Program.Operand, value: Program.ValueID), of index: Int) -> Bool {
        guard repeatsFromSaved[index], case .saved = write.role else { return false }
        return true
    }

    /// Adds the instructions that must be repeated to compute some values: those that compute values that are neither
    /// kept nor in `there`, directly or indirectly.
    func collect(
        _ values: [Program.ValueID], kept: [Bool], into repeated: inout Set<Int>,
        there: (Program.ValueID) -> Bool = { _ in false }
    ) {
        var open = values
        while let value = open.popLast() {
            guard !kept[value], let index = producer[value], !there(value), repeated.insert(index).inserted
            else { continue }
            open += sources[index]
        }
    }
}
