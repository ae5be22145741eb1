import AnnealCompiler
import AnnealCore
import Synchronization

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

/// Flags all of which must be set.
struct Condition {
    let flags: UnsafeMutablePointer<Float>?
    let count: Int

    var isMet: Bool {
        guard let flags else { return true }
        return (0..<count).allSatisfy { flags[$0] != 0 }
    }

    /// Whether a sum or an update may be made: sums over batches that were checked before need no further check.
    func isMet(_ inputs: StepInputs) -> Bool { !inputs.merge.takesGradient || isMet }
}

/// An array in host memory. Threads share it: each writes its own elements.
struct FloatArray: @unchecked Sendable {
    let memory: UnsafeMutablePointer<Float>
    let count: Int
    /// 1 where the array is in blocks.
    let rows: Int
}

/// The arrays of an instruction that works element by element, so that bits do not depend on threads. Each is one parallel
/// pass over all of them.
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

/// Looks for values that are not finite, in one parallel pass over all arrays.
private struct FiniteScan: Sendable {
    private let arrays: [FloatArray]

    init(_ arrays: [FloatArray]) { self.arrays = arrays }

    func run(_ flags: UnsafeMutablePointer<Float>) {
        let broken = Mutex<[Int]>([])
        Parallel.run { part, parts in
            for (index, array) in arrays.enumerated() {
                let range = Parallel.slice(array.count, part: part, parts: parts)
                if !Self.isFinite(array.memory, range) { broken.withLock { $0.append(index) } }
            }
        }
        for index in arrays.indices { flags[index] = 1 }
        for index in broken.withLock({ $0 }) { flags[index] = 0 }
    }

    /// NaN and infinities have all bits of the exponent set.
    private static func isFinite(_ values: UnsafeMutablePointer<Float>, _ range: Range<Int>) -> Bool {
        var broken: UInt32 = 0
        for i in range { broken |= (values[i].bitPattern & 0x7f80_0000) == 0x7f80_0000 ? 1 : 0 }
        return broken == 0
    }
}

/// The norm of several arrays together: sums of fixed pieces are added in order, whatever the threads.
private final class GradientNorm {
    private let pieces: ArrayPieces
    private let sums: UnsafeMutableBufferPointer<Double>

    init(_ arrays: [FloatArray]) {
        pieces = ArrayPieces(arrays) { _ in ArrayPieces.size }
        sums = .allocate(capacity: pieces.count)
        sums.initialize(repeating: 0)
    }

    deinit { sums.deallocate() }

    /// min(1, limit / (norm · scale + 1e-6)); a norm that is no number leaves gradients as they are, to be seen.
    func scale(_ limit: Double, by scale: Float) -> Float {
        let target = SharedSums(sums: sums)
        pieces.run { piece, array in target.sums[piece.number] = Self.squares(array.memory + piece.start, piece.count) }
        let norm = sums.reduce(0, +).squareRoot()
        let part = limit / (norm * Double(scale) + 1e-6)
        return part < 1 ? Float(part) : 1
    }

    /// Four partial sums, each of every fourth element: the additions do not wait for each other.
    private static func squares(_ values: UnsafeMutablePointer<Float>, _ count: Int) -> Double {
        var sums = SIMD4<Double>(repeating: 0)
        var i = 0
        while i + 4 <= count {
            // In double precision: the square of a large float is no float.
            let x = SIMD4<Double>(SIMD4(values[i], values[i + 1], values[i + 2], values[i + 3]))
            sums += x * x
            i += 4
        }
        while i < count {
            sums[0] += Double(values[i]) * Double(values[i])
            i += 1
        }
        return (sums[0] + sums[1]) + (sums[2] + sums[3])
    }
}

private struct SharedSums: @unchecked Sendable {
    // Each piece writes its own element.
    let sums: UnsafeMutableBufferPointer<Double>
}
