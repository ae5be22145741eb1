import CAnnealKernels
import Foundation
import Testing

private struct Case {
    var kind: anneal_pooling_kind
    var input: [Int], kernel: [Int], stride: [Int], pad: [Int]
    var full = false, include = true, lp = 2, first = false
    var n = 2, c = 9

    var output: [Int] {
        (0..<3).map { axis in
            let room = input[axis] + 2 * pad[axis] - kernel[axis]
            return 1 + (full ? (room + stride[axis] - 1) / stride[axis] : room / stride[axis])
        }
    }

    func pool(_ b: Int) -> anneal_pooling {
        func triple(_ a: [Int]) -> (Int64, Int64, Int64) { (Int64(a[0]), Int64(a[1]), Int64(a[2])) }
        return anneal_pooling(
            kind: kind, n: Int64(n), c: Int64(c), b: Int64(b), in: triple(input), out: triple(output),
            kernel: triple(kernel), stride: triple(stride), pad: triple(pad), count_include_pad: include ? 1 : 0,
            lp: Int32(lp), first_version: first ? 1 : 0)
    }

    /// Each window: its cells in row-major order, MXNet's divisor, and the number of cells of the padded data in it.
    func windows(_ body: (_ output: Int, _ cells: [Int], _ divisor: Int, _ padded: Int) -> Void) {
        var out = 0
        for od in 0..<output[0] {
            for oh in 0..<output[1] {
                for ow in 0..<output[2] {
                    let o = [od, oh, ow]
                    var ranges: [Range<Int>] = [], divisor = 1, padded = 1
                    for axis in 0..<3 {
                        let start = o[axis] * stride[axis] - pad[axis], end = start + kernel[axis]
                        let low = max(start, 0), high = max(low, min(end, input[axis]))
                        ranges.append(low..<high)
                        padded *= max(0, min(end, input[axis] + pad[axis]) - start)
                        divisor *=
                            first
                            ? kernel[axis] : include ? max(0, min(end, input[axis] + pad[axis]) - start) : high - low
                    }
                    var cells: [Int] = []
                    for d in ranges[0] {
                        for h in ranges[1] { for w in ranges[2] { cells.append((d * input[1] + h) * input[2] + w) } }
                    }
                    body(out, cells, divisor, padded)
                    out += 1
                }
            }
        }
    }
}

extension KernelTests {
    @Suite struct Pooling {
        fileprivate static let shapes: [Case] = [
            Case(kind: ANNEAL_POOLING_MAX, input: [1, 8, 8], kernel: [1, 2, 2], stride: [1, 2, 2], pad: [0, 0, 0]),
            Case(kind: ANNEAL_POOLING_MAX, input: [1, 7, 9], kernel: [1, 2, 2], stride: [1, 2, 2], pad: [0, 0, 0]),
            Case(
                kind: ANNEAL_POOLING_MAX, input: [1, 7, 9], kernel: [1, 2, 2], stride: [1, 2, 2], pad: [0, 0, 0],
                full: true),
            Case(
                kind: ANNEAL_POOLING_MAX, input: [1, 14, 13], kernel: [1, 3, 3], stride: [1, 2, 2], pad: [0, 1, 1]),
            Case(kind: ANNEAL_POOLING_MAX, input: [1, 7, 7], kernel: [1, 3, 3], stride: [1, 1, 1], pad: [0, 1, 1]),
            Case(
                kind: ANNEAL_POOLING_MAX, input: [1, 8, 8], kernel: [1, 3, 3], stride: [1, 2, 2], pad: [0, 1, 1],
                full: true),
            Case(kind: ANNEAL_POOLING_MAX, input: [1, 7, 7], kernel: [1, 7, 7], stride: [1, 1, 1], pad: [0, 0, 0]),
            Case(
                kind: ANNEAL_POOLING_MAX, input: [1, 1, 100], kernel: [1, 1, 3], stride: [1, 1, 2], pad: [0, 0, 1],
                n: 16),
            Case(kind: ANNEAL_POOLING_MAX, input: [5, 6, 7], kernel: [2, 3, 3], stride: [2, 2, 1], pad: [1, 0, 1]),
            Case(
                kind: ANNEAL_POOLING_MAX, input: [1, 4, 4], kernel: [1, 1, 1], stride: [1, 2, 2], pad: [0, 0, 0],
                full: true),
            Case(
                kind: ANNEAL_POOLING_MAX, input: [1, 28, 28], kernel: [1, 5, 3], stride: [1, 3, 2], pad: [0, 2, 1],
                n: 8, c: 9
            ),
        ]

        @Test(arguments: [1, 8, 16]) func everyKind(b: Int) {
            var random = Generator(10)
            let kinds: [(anneal_pooling_kind, Bool, Int)] = [
                (ANNEAL_POOLING_MAX, true, 2), (ANNEAL_POOLING_AVG, true, 2), (ANNEAL_POOLING_AVG, false, 2),
                (ANNEAL_POOLING_SUM, true, 2),
                (ANNEAL_POOLING_LP, true, 1), (ANNEAL_POOLING_LP, true, 2), (ANNEAL_POOLING_LP, true, 3),
            ]
            for base in Self.shapes {
                for kind in [ANNEAL_POOLING_MAX, ANNEAL_POOLING_AVG, ANNEAL_POOLING_SUM] {
                    var test = base
                    (test.kind, test.first) = (kind, true)
                    // A maximum over no cell is refused earlier.
                    if kind != ANNEAL_POOLING_MAX || base.kernel[1] >= base.stride[1] { check(test, b, &random) }
                }
                for (kind, include, lp) in kinds {
                    var test = base
                    (test.kind, test.include, test.lp) = (kind, include, lp)
                    check(test, b, &random)
                }
            }
        }

        private func check(_ test: Case, _ b: Int, _ random: inout Generator) {
            let ins = Shape4(n: test.n, c: test.c, s: test.input.reduce(1, *), b: b)
            let outs = Shape4(n: test.n, c: test.c, s: test.output.reduce(1, *), b: b)
            // Few distinct negative values: ties, and padding that would win.
            let x = (0..<ins.plain).map { _ in Float(Int.random(in: -9 ... -1, using: &random)) * 0.25 }
            let dy = random.floats(outs.plain), more = random.floats(ins.plain)
            var y = [Double](repeating: 0, count: outs.plain), dx = more.map { Double($0) }
            var winners = [Int32](repeating: -1, count: outs.plain)
            for plane in 0..<(test.n * test.c) {
                test.windows { out, cells, divisor, padded in
                    let at = plane * outs.s + out, values = cells.map { Double(x[plane * ins.s + $0]) }
                    let g = Double(dy[at])
                    switch test.kind {
                    case ANNEAL_POOLING_MAX where test.first:
                        y[at] = (values + (padded > cells.count ? [0] : [])).max()!
                        for (cell, v) in zip(cells, values) where v == y[at] { dx[plane * ins.s + cell] += g }
                    case ANNEAL_POOLING_MAX:
                        guard let best = values.max() else { return }
                        y[at] = best
                        winners[at] = Int32(cells[values.firstIndex(of: best)!])
                        dx[plane * ins.s + Int(winners[at])] += g
                    case ANNEAL_POOLING_LP:
                        let sum = values.reduce(0) { $0 + pow($1, Double(test.lp)) }
                        y[at] = test.lp == 1 ? sum : test.lp == 2 ? sqrt(sum) : cbrt(sum)
                        for (cell, v) in zip(cells, values) {
                            dx[plane * ins.s + cell] += g * pow(v / y[at], Double(test.lp - 1))
                        }
                    default:
                        let scale = test.kind == ANNEAL_POOLING_SUM ? 1 : divisor == 0 ? 0 : 1 / Double(divisor)
                        y[at] = values.reduce(0, +) * scale
                        for cell in cells { dx[plane * ins.s + cell] += g * scale }
                    }
                }
            }
            everyVariant { name in
                let name = "\(test) b \(b) \(name)"
                var pool = test.pool(b)
                var out = [Float](repeating: 7, count: outs.elements), arg = [Int32](repeating: 7, count: outs.elements)
                let bx = ins.blocked(x), bdy = outs.blocked(dy)
                if test.kind == ANNEAL_POOLING_MAX, !test.first {
                    anneal_pooling_forward(&pool, bx, &out, &arg)
                } else {
                    anneal_pooling_forward(&pool, bx, &out, nil)
                }
                expectClose(outs.plain(out), y, 1e-6, name)
                #expect(outs.fillingIsZero(out), "\(name)")
                if test.kind == ANNEAL_POOLING_MAX, !test.first { #expect(outs.plain(arg) == winners, "\(name)") }
                var sum = ins.blocked(more)
                sum.withUnsafeMutableBufferPointer { p in
                    anneal_pooling_backward(&pool, bx, out, arg, bdy, p.baseAddress!, p.baseAddress!)
                }
                expectClose(ins.plain(sum), dx, 1e-5, name)
                var alone = [Float](repeating: 7, count: ins.elements)
                anneal_pooling_backward(&pool, bx, out, arg, bdy, nil, &alone)
                expectClose(ins.plain(alone), zip(dx, more).map { $0 - Double($1) }, 1e-5, scale: 1, name)
                #expect(ins.fillingIsZero(alone) && ins.fillingIsZero(sum), "\(name)")
            }
        }
    }
}
