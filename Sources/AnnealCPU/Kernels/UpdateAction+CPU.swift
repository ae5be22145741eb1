import AnnealCompiler
import AnnealCore

extension UpdateAction {
    func kernel(_ site: KernelSite) -> PreparedKernel {
        let operands = UpdateOperands(site)
        return PreparedKernel { memory in
            let arrays = operands.arrays(memory), clock = memory.clock
            let condition = operands.condition(memory)
            switch self {
            case .update(let rule, let parameters):
                let update = RuleUpdate(rule, parameters, arrays, memory)
                return { update.run(clock.inputs, isAllowed: condition.isMet(clock.inputs)) }
            case .limitNorm(let parameter):
                let norm = GradientNorm(arrays.inputs), scale = memory[.output(0)]
                return { scale.pointee = norm.scale(clock.inputs.normLimit, by: clock.inputs.numbers[parameter][0]) }
            case .checkFinite:
                let flags = memory[.output(0)]
                return { FiniteScan(arrays.inputs).run(flags) }
            case .accumulate(let levels):
                return { if condition.isMet(clock.inputs) { arrays.accumulate(levels, clock.inputs.merge) } }
            case .average:
                return { if condition.isMet { arrays.average(clock.inputs.averageShare) } }
            case .lookAhead: return { arrays.lookAhead(clock.inputs.averageShare) }
            case .exchange: return { arrays.exchange() }
            case .copy: return { arrays.copy() }
            case .restore: return { if !condition.isMet(clock.inputs) { arrays.copy() } }
            }
        }
    }
}

/// The operands of an instruction of the update: counts in memory, padding included.
private struct UpdateOperands {
    private let site: KernelSite

    init(_ site: KernelSite) { self.site = site }

    func arrays(_ memory: KernelMemory) -> UpdateArrays {
        var inputs: [FloatArray] = [], changed: [FloatArray] = [], names: [String] = []
        func array(_ role: Program.Operand, _ id: Program.ValueID) -> FloatArray {
            let value = site.value(id)
            return FloatArray(
                memory: memory[role], count: value.layout.elements(value.shape),
                rows: value.layout == .plain && value.shape.rank > 0 ? value.shape[0] : 1)
        }
        for (role, id) in site.instruction.reads {
            switch role {
            case .input: inputs.append(array(role, id))
            case .changed:
                changed.append(array(role, id))
                names.append(site.value(id).name)
            default: break
            }
        }
        // Copies into temporaries write them.
        for (role, id) in site.instruction.writes where site.instruction.changes.isEmpty {
            changed.append(array(role, id))
        }
        return UpdateArrays(inputs: inputs, changed: changed, names: names)
    }

    func condition(_ memory: KernelMemory) -> Condition {
        guard let id = site.instruction.reading(.condition) else { return Condition(flags: nil, count: 0) }
        return Condition(flags: memory[.condition], count: site.value(id).shape.count)
    }
}

/// Flags that must all be set.
struct Condition {
    let flags: UnsafeMutablePointer<Float>?
    let count: Int

    var isMet: Bool {
        guard let flags else { return true }
        return (0..<count).allSatisfy { flags[$0] != 0 }
    }

    /// Whether a sum or an update may be made: sums over batches that were already checked need no further check.
    func isMet(_ inputs: StepInputs) -> Bool { !inputs.merge.takesGradient || isMet }
}

/// An array in host memory. Threads share it: each writes its own elements.
struct FloatArray: @unchecked Sendable {
    let memory: UnsafeMutablePointer<Float>
    let count: Int
    /// 1 if the array is blocked.
    let rows: Int
}

/// The arrays of an elementwise instruction, which works so that bits do not depend on threads: one parallel pass over
/// all of them.
struct UpdateArrays: Sendable {
    let inputs: [FloatArray]
    let changed: [FloatArray]
    /// Of what is changed.
    let names: [String]

    private func pass(_ counts: [FloatArray], _ body: @Sendable (_ array: Int, _ range: Range<Int>) -> Void) {
        Parallel.run { part, parts in
            for (index, array) in counts.enumerated() {
                let range = Parallel.slice(array.count, part: part, parts: parts)
                if !range.isEmpty { body(index, range) }
            }
        }
    }

    func accumulate(_ levels: Int, _ merge: StepInputs.Merge) {
        pass(inputs) { index, range in
            func sum(_ level: Int) -> UnsafeMutablePointer<Float> { changed[index * levels + level].memory }
            let target = sum(merge.target)
            var source = inputs[index].memory, rest = merge.levels[...]
            if !merge.takesGradient, let first = rest.popFirst() { source = sum(first) }
            if rest.isEmpty, target != source { for i in range { target[i] = source[i] } }
            for level in rest {
                let sum = sum(level)
                for i in range { target[i] = sum[i] + source[i] }
                source = target
            }
        }
    }

    func average(_ share: Float) {
        pass(inputs) { index, range in
            let weight = inputs[index].memory, average = changed[index].memory
            for i in range { average[i] += share * (weight[i] - average[i]) }
        }
    }

    func lookAhead(_ share: Float) {
        pairs { fast, slow, range in
            for i in range {
                slow[i] += share * (fast[i] - slow[i])
                fast[i] = slow[i]
            }
        }
    }

    func exchange() { pairs { a, b, range in for i in range { (a[i], b[i]) = (b[i], a[i]) } } }

    private func pairs(
        _ body: @Sendable (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, Range<Int>) -> Void
    ) {
        pass(changed) { index, range in
            if index % 2 == 0 { body(changed[index].memory, changed[index + 1].memory, range) }
        }
    }

    func copy() {
        pass(inputs) { index, range in
            let source = inputs[index].memory, target = changed[index].memory
            for i in range { target[i] = source[i] }
        }
    }
}
