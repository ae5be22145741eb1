import AnnealCore
import AnnealGraph

/// Fusions that are possible in inference but not in training, since intermediate values are not needed: batch norm is
/// folded into the weights before it, and an addition and ReLU (or `clip`) become part of the convolution.
///
/// Only if nothing else reads the intermediate values. Batch norm before a convolution stays: the convolution pads with
/// zeros after the norm, not before it.
package struct InferenceFusion {
    private var result: Program
    private let program: Program
    private let consumers: [[Int]]
    private let outputs: Set<Program.ValueID>
    private var dropped = Set<Int>()

    private init(_ program: Program) {
        self.program = program
        result = program
        consumers = program.consumers()
        outputs = Set(program.outputs)
    }

    package static func fuse(_ program: Program) throws -> Program {
        var fusion = InferenceFusion(program)
        // From the end: of two convolutions whose results are added, the later one performs the addition.
        for index in program.instructions.indices.reversed() { fusion.fuse(at: index) }
        var result = fusion.result
        result.preparation.reverse()
        result.instructions = result.instructions.enumerated().filter { !fusion.dropped.contains($0.offset) }
            .map(\.element)
        result.backwardStart = result.instructions.count
        try result.verify(after: "fusion for inference")
        return result
    }

    private mutating func fuse(at index: Int) {
        var fused = program.instructions[index]
        var chain = [index]
        func end() -> Int { chain[chain.count - 1] }
        if let next = onlyReader(ofOutputOf: index), let op = fold(next, into: &fused) {
            fused.action = .forward(op)
            chain.append(next)
        }
        if let op = fused.action.op as? any JoinsInInference {
            let addend = op.adds ? self.addend(behind: end()) : nil
            if let addend {
                fused.reads.append((op.addend, addend.value))
                chain.append(addend.addition)
            }
            let next = onlyReader(ofOutputOf: end())
            let limits = next.flatMap { InferenceFusion.limits(program.instructions[$0].action.op) }
            if let next, limits != nil { chain.append(next) }
            if addend != nil || limits != nil {
                fused.action = .forward(op.joined(adds: addend != nil, limits: limits))
            }
        }
        guard end() != index else { return }
        // It runs where the last of them ran, when everything that it reads is available.
        fused.writes = program.instructions[end()].writes
        result.instructions[end()] = fused
        dropped.formUnion(chain.dropLast())
    }

    /// The only instruction that reads an instruction's only output, if that is not an output of the program and no
    /// other instruction was fused with the reader.
    private func onlyReader(ofOutputOf index: Int) -> Int? {
        let writes = program.instructions[index].writes
        guard writes.count == 1, !outputs.contains(writes[0].value) else { return nil }
        let readers = consumers[writes[0].value]
        return readers.count == 1 && !dropped.contains(readers[0]) && !isFused(readers[0]) ? readers[0] : nil
    }

    private func isFused(_ index: Int) -> Bool { result.instructions[index].action.op?.isFused == true }

    /// Folds a batch norm into the weights of the layer before it.
    /// - Returns: the layer's operator, now with a bias; nil if the two cannot be folded.
    private mutating func fold(_ next: Int, into layer: inout Program.Instruction) -> (any Operator)? {
        let instruction = program.instructions[next]
        guard let norm = instruction.action.op as? any FoldsIntoWeights, norm.folds,
            instruction.reads[0].value == layer.writes[0].value,
            (layer.reads.dropFirst() + instruction.reads[1...2]).allSatisfy({
                program.values[$0.value].kind == .parameter
            }), instruction.reads[3...4].allSatisfy({ program.values[$0.value].kind == .auxiliary })
        else { return nil }
        guard var folded = layer.action.op as? any LinearLayer,
            let channelsOfWeight = folded.channelsOfWeight(output: program.values[layer.writes[0].value].shape)
        else { return nil }
        folded.noBias = false
        let folding = norm.folding(channelAxis: channelsOfWeight.axis, groups: channelsOfWeight.groups)
        let ids = layer.reads.dropFirst().map(\.value)
        let weight = program.values[ids[0]], channels = program.values[instruction.reads[1].value].shape
        let derived = [
            result.add(.init(name: "\(weight.name)_folded", shape: weight.shape, kind: .derived)),
            result.add(.init(name: "\(layer.layer)_bias_folded", shape: channels, kind: .derived)),
        ]
        let reads = [ids[0]] + instruction.reads.dropFirst().map(\.value) + ids.dropFirst()
        result.preparation.append(
            .init(
                layer: instruction.layer, action: .forward(folding),
                reads: reads.enumerated().map { (.input($0.offset), $0.element) },
                writes: derived.enumerated().map { (.output($0.offset), $0.element) }))
        layer.reads = [layer.reads[0], (.input(1), derived[0]), (.input(2), derived[1])]
        return folded
    }

    /// The addition after an instruction, and its addend if that is a temporary that nothing reads later: the
    /// convolution adds to it in place.
    private func addend(behind index: Int) -> (addition: Int, value: Program.ValueID)? {
        guard let next = onlyReader(ofOutputOf: index), program.instructions[next].addsTwo else { return nil }
        let output = program.instructions[index].writes[0].value
        guard let other = program.instructions[next].reads.map(\.value).first(where: { $0 != output }),
            program.values[other].kind == .temporary, !outputs.contains(other), consumers[other].last == next
        else { return nil }
        return (next, other)
    }

    private static func limits(_ op: (any Operator)?) -> ClosedRange<Float>? {
        // Channels that pad a block must stay zero.
        op?.clipRange.flatMap { $0.contains(0) ? $0 : nil }
    }
}
