import AnnealCore
import AnnealGraph

/// Batch norm with the addition and the ReLU that follow it, in one pass over memory each way.
///
/// Inputs: data, gamma, beta, moving mean, moving variance, then the addend if there is one.
struct FusedBatchNorm: Operator {
    static let name = "fused BatchNorm"
    let norm: BatchNorm
    let adds: Bool
    let relu: Bool

    init(norm: BatchNorm, adds: Bool, relu: Bool) {
        self.norm = norm
        self.adds = adds
        self.relu = relu
    }

    init(_ attributes: inout AttributeReader) throws {
        throw AnnealError("", "\(Self.name) is made by the compiler only")
    }

    var inputNames: [String] { norm.inputNames + norm.auxiliaryNames + (adds ? ["addend"] : []) }
    func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }

    var backward: [BackwardPart] {
        // Without an addend ReLU's mask is recomputed from the data; with one the output tells.
        let mask: [BackwardPart.Read] = adds && relu ? [.output(0)] : []
        return [BackwardPart(reads: norm.backward[0].reads + mask, writes: [0, 1, 2] + (adds ? [5] : []))]
    }

    func flops(inputs: [Shape], outputs: [Shape]) -> Double {
        norm.flops(inputs: inputs, outputs: outputs) + Double(outputs[0].count) * ((adds ? 1 : 0) + (relu ? 1 : 0))
    }
}

/// An addition and the ReLU that follows it.
struct AddReLU: Operator {
    static let name = "fused addition"
    init() {}
    init(_ attributes: inout AttributeReader) throws {
        throw AnnealError("", "\(Self.name) is made by the compiler only")
    }
    var inputNames: [String] { ["lhs", "rhs"] }
    func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    // One masked gradient serves both inputs.
    var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .head(0)], writes: [0])] }
    func flops(inputs: [Shape], outputs: [Shape]) -> Double { 2 * Double(outputs[0].count) }
}

enum Fusion {
    /// Joins BatchNorm [+ addition] [+ ReLU], and addition + ReLU, where nothing else reads what lies between.
    static func fuse(_ program: Program) throws -> Program {
        var result = program
        let consumers = program.consumers()
        let outputs = Set(program.outputs)
        var dropped = Set<Int>()

        /// The only instruction that reads a value which is no output.
        func onlyReader(_ value: Program.ValueID) -> Int? {
            consumers[value].count == 1 && !outputs.contains(value) ? consumers[value][0] : nil
        }
        func isReLU(_ index: Int) -> Bool {
            let op = program.instructions[index].action.op
            return (op as? Activation)?.kind == .relu || (op as? Unary)?.member == .relu
        }

        for (index, instruction) in program.instructions.enumerated() {
            guard let norm = instruction.action.op as? BatchNorm, norm.axis == 1, !norm.outputMeanVar else { continue }
            var last = index
            var addend: Program.ValueID?
            var relu = false
            if let next = onlyReader(instruction.writes[0].value) {
                if isReLU(next) {
                    (last, relu) = (next, true)
                } else if program.instructions[next].action.op is ElementwiseAdd, !dropped.contains(next) {
                    let reads = program.instructions[next].reads.map(\.value)
                    let other = reads[0] == instruction.writes[0].value ? reads[1] : reads[0]
                    last = next
                    addend = other
                    if let after = onlyReader(program.instructions[next].writes[0].value), isReLU(after) {
                        (last, relu) = (after, true)
                    }
                    // The addition is this one's now, not another batch norm's.
                    dropped.insert(next)
                }
            }
            // It runs where the last of them ran, when all it reads is there.
            var fused = instruction
            fused.action = .forward(FusedBatchNorm(norm: norm, adds: addend != nil, relu: relu))
            if let addend { fused.reads.append((.input(5), addend)) }
            fused.writes[0] = (.output(0), program.instructions[last].writes[0].value)
            dropped.insert(index)
            dropped.remove(last)
            result.instructions[last] = fused
        }
        for (index, instruction) in program.instructions.enumerated()
        where instruction.action.op is ElementwiseAdd && !dropped.contains(index) {
            guard result.instructions[index].action.op is ElementwiseAdd,
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
