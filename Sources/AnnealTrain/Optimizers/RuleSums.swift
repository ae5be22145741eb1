import AnnealCompiler

/// The sums that some rules need before an update (LARS, LAMB, LBSGD, GroupAdaGrad).
@usableFromInline
struct SumsLoop: RuleLoop {
    @inlinable
    init() {}

    @inlinable @inline(never)
    func run<Rule: OptimizerRule, Form: RuleForm>(_ rule: Rule, _ slice: RuleSlice, _ form: Form.Type) -> (
        Double, Double
    ) {
        let arrays = LoopArrays<Form.States>(slice), k = form.numbers(slice)
        return slice.sums { start, count, first, second in
            for i in 0..<count {
                let (a, b) = rule.terms(arrays[start &+ i], k)
                first[i] = a.value
                second[i] = b.value
            }
        }
    }

    @inlinable @inline(never)
    func run<Rule: OptimizerRule>(_ rule: Rule, _ slice: RuleSlice) -> (Double, Double) {
        let k = slice.hostNumbers(rule.choices)
        return rule.withOthers { others in
            slice.sums { start, count, first, second in
                for i in 0..<count {
                    let (a, b) = rule.terms(rule.element(slice, start + i, others), k)
                    first[i] = a.value
                    second[i] = b.value
                }
            }
        }
    }
}

extension RuleSlice {
    /// Elements per partial sum. It determines the order of summation: never change it.
    @usableFromInline static var block: Int { 1024 }
    /// The number of terms in memory at a time.
    @usableFromInline static var chunk: Int { 64 }

    /// Adds up the terms of all elements, in an order that depends on their number only: in each block every eighth
    /// element is added to the same one of eight sums, in double precision; then these are added, then the blocks.
    /// - Parameter terms: writes the terms of `count` elements from `start` on.
    @inlinable @inline(__always)
    func sums(
        _ terms: (
            _ start: Int, _ count: Int, _ first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>
        ) -> Void
    ) -> (Double, Double) {
        let half = 4 * RuleSlice.chunk
        return withUnsafeTemporaryAllocation(byteCount: 2 * half, alignment: 32) { memory -> (Double, Double) in
            let floats = memory.bindMemory(to: Float.self)
            guard let bytes = memory.baseAddress, let first = floats.baseAddress else { return (0, 0) }
            let second = first + RuleSlice.chunk
            var total = (0.0, 0.0), start = self.start
            let end = start + count
            while start < end {
                let next = min(start + RuleSlice.block, end)
                var sums = (SIMD8<Double>(repeating: 0), SIMD8<Double>(repeating: 0))
                while start < next {
                    let count = min(RuleSlice.chunk, next - start), vectors = (count + 7) / 8
                    terms(start, count, first, second)
                    for i in count..<8 * vectors { (first[i], second[i]) = (0, 0) }
                    for vector in 0..<vectors {
                        let x = UnsafeRawPointer(bytes + 32 * vector)
                        sums.0 += SIMD8<Double>(x.load(as: SIMD8<Float>.self))
                        sums.1 += SIMD8<Double>((x + half).load(as: SIMD8<Float>.self))
                    }
                    start += count
                }
                total.0 += sums.0.inOrder
                total.1 += sums.1.inOrder
            }
            return total
        }
    }
}

extension SIMD8<Double> {
    /// The sum, in an order that does not depend on a library.
    @inlinable
    var inOrder: Double { ((self[0] + self[1]) + (self[2] + self[3])) + ((self[4] + self[5]) + (self[6] + self[7])) }
}
