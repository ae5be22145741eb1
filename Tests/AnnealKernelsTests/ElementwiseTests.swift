import CAnnealKernels
import Foundation
import Testing

extension KernelTests {
    @Suite struct Elementwise {
        static let kinds: [(anneal_activation, @Sendable (Double) -> Double)] = [
            (ANNEAL_RELU, { max($0, 0) }), (ANNEAL_SIGMOID, { 1 / (1 + exp(-$0)) }), (ANNEAL_TANH, { tanh($0) }),
            (ANNEAL_SOFTRELU, { $0 > 30 ? $0 : log1p(exp($0)) }), (ANNEAL_SOFTSIGN, { $0 / (1 + abs($0)) }),
        ]

        /// Relative error, from tiny to huge arguments.
        @Test func activationsAreAccurate() {
            var x: [Float] = [
                0, -0.0, 1e-30, -1e-30, 1e-8, -1e-8, 0.6249, 0.6251, -0.625, 1, -1, 20, -20, 60, -60, 86, -86,
            ]
            for k in -4000...4000 { x.append(Float(k) * 0.004) }
            let shape = Shape4(n: 1, c: 1, s: x.count, b: 1)
            everyVariant { name in
                for (kind, f) in Self.kinds {
                    var y = x
                    anneal_activation_forward(kind, x, &y, shape.dims)
                    expectClose(y, x.map { f(Double($0)) }, 1e-6, scale: 1e-37, "\(kind) \(name)")
                }
            }
        }

        /// Φ by erf, and the slope by Φ and its density; absolute, since x Φ(x) vanishes on the left.
        @Test func geluIsAccurate() {
            let x: [Float] = [0, 1e-30, -1e-8, 15, -15, 100, -100] + (-2000...2000).map { Float($0) * 0.004 }
            let dy = x.indices.map { Float($0 % 7) - 3 }
            func phi(_ v: Double) -> Double { 0.5 * erfc(-v * 0.5.squareRoot()) }
            everyVariant { name in
                var y = x, dx = dy
                anneal_gelu(x, &y, Int64(x.count))
                anneal_gelu_backward(x, dy, &dx, Int64(x.count))
                for (k, v) in x.map(Double.init).enumerated() {
                    #expect(abs(Double(y[k]) - v * phi(v)) < 1e-6 * max(1, v), "\(name) at \(v)")
                    let slope = phi(v) + v * exp(-v * v / 2) / (2 * Double.pi).squareRoot()
                    #expect(abs(Double(dx[k]) - Double(dy[k]) * slope) < 2e-6, "\(name) slope at \(v)")
                }
            }
        }

        @Test func activationsAtExtremes() {
            let x: [Float] = [.infinity, -.infinity, 100, -100, 1e30, -1e30, .nan, 89, -104]
            let shape = Shape4(n: 1, c: 1, s: x.count, b: 1)
            everyVariant { name in
                func run(_ kind: anneal_activation) -> [Float] {
                    var y = x
                    anneal_activation_forward(kind, x, &y, shape.dims)
                    return y
                }
                let sigmoid = run(ANNEAL_SIGMOID), tanh = run(ANNEAL_TANH), soft = run(ANNEAL_SOFTRELU),
                    relu = run(ANNEAL_RELU)
                #expect(sigmoid[0] == 1 && sigmoid[2] == 1 && sigmoid[4] == 1, "\(name)")
                #expect(sigmoid[1] == 0 && sigmoid[5] == 0 && sigmoid[3] < 1e-37, "\(name)")
                #expect(tanh[0] == 1 && tanh[1] == -1 && tanh[2] == 1 && tanh[5] == -1, "\(name)")
                #expect(soft[0] == .infinity && soft[1] == 0 && soft[2] == 100 && soft[5] == 0, "\(name)")
                #expect(relu[0] == .infinity && relu[1] == 0, "\(name)")
                for y in [sigmoid, tanh, soft, relu] { #expect(y[6].isNaN, "\(name)") }
            }
        }

        @Test func backwardFromOutputs() {
            var random = Generator(1)
            for b in [1, 8, 16] {
                let shape = Shape4(n: 3, c: 20, s: 301, b: b)
                let x = random.floats(shape.plain, -3...3), dy = random.floats(shape.plain)
                let more = random.floats(shape.plain)
                everyVariant { name in
                    for (kind, f) in Self.kinds {
                        var y = [Float](repeating: 7, count: shape.elements)
                        anneal_activation_forward(kind, shape.blocked(x), &y, shape.dims)
                        expectClose(shape.plain(y), x.map { f(Double($0)) }, 1e-6, "\(kind) \(name)")
                        #expect(shape.fillingIsZero(y), "\(kind) \(name)")
                        let slopes = shape.plain(y).enumerated().map { k, v -> Double in
                            let v = Double(v)
                            switch kind {
                            case ANNEAL_RELU: return v > 0 ? 1 : 0
                            case ANNEAL_SIGMOID: return v * (1 - v)
                            case ANNEAL_TANH: return 1 - v * v
                            case ANNEAL_SOFTRELU: return -expm1(-v)
                            default: return (1 - abs(v)) * (1 - abs(v))
                            }
                        }
                        var dx = shape.blocked(dy)
                        dx.withUnsafeMutableBufferPointer { p in  // in place
                            anneal_activation_backward(kind, y, p.baseAddress!, nil, p.baseAddress!, shape.dims)
                        }
                        expectClose(shape.plain(dx), zip(dy, slopes).map { Double($0) * $1 }, 1e-6, "\(kind) \(name)")
                        var sum = shape.blocked(more)
                        sum.withUnsafeMutableBufferPointer { p in
                            anneal_activation_backward(
                                kind, y, shape.blocked(dy), p.baseAddress!, p.baseAddress!, shape.dims)
                        }
                        let reference = zip(zip(dy, slopes), more).map { Double($0.0) * $0.1 + Double($1) }
                        expectClose(shape.plain(sum), reference, 1e-6, "\(kind) \(name)")
                        #expect(shape.fillingIsZero(dx) && shape.fillingIsZero(sum), "\(kind) \(name)")
                    }
                }
            }
        }

        @Test func flatOperations() {
            var random = Generator(2)
            for count in [0, 1, 7, 8, 63, 1000, 20001] {
                let a = random.floats(count), b = random.floats(count)
                everyVariant { name in
                    var y = a
                    y.withUnsafeMutableBufferPointer { p in
                        guard let base = p.baseAddress else { return }
                        anneal_add(base, b, base, 0, Int64(count))
                    }
                    #expect(y == zip(a, b).map { $0 + $1 }, "\(name)")
                    anneal_add(a, b, &y, 1, Int64(count))
                    #expect(y == zip(a, b).map { max($0 + $1, 0) }, "\(name)")
                    anneal_copy(a, &y, Int64(count))
                    #expect(y == a, "\(name)")
                    anneal_axpby(2, b, -0.5, &y, Int64(count))
                    expectClose(y, zip(a, b).map { 2 * Double($1) - 0.5 * Double($0) }, 1e-6, name)
                    anneal_fill(&y, .nan, Int64(count))
                    anneal_axpby(2, b, 0, &y, Int64(count))
                    #expect(y == b.map { 2 * $0 }, "\(name)")
                }
            }
        }

        @Test func softmax() {
            var random = Generator(3)
            for (outer, axis, inner) in [
                (64, 10, 1), (3, 1, 1), (5, 1000, 1), (2, 8, 1), (4, 3, 5), (2, 21, 100), (128, 16, 16),
            ] {
                var x = random.floats(outer * axis * inner, -50...50)
                x[0] = 1e30
                var reference = [Double](repeating: 0, count: x.count)
                for o in 0..<outer {
                    for i in 0..<inner {
                        let at = { (a: Int) in (o * axis + a) * inner + i }
                        let top = (0..<axis).map { Double(x[at($0)]) }.max()!
                        let sum = (0..<axis).reduce(0) { $0 + exp(Double(x[at($1)]) - top) }
                        for a in 0..<axis { reference[at(a)] = exp(Double(x[at(a)]) - top) / sum }
                    }
                }
                everyVariant { name in
                    var y = x
                    y.withUnsafeMutableBufferPointer { p in
                        anneal_softmax(p.baseAddress!, p.baseAddress!, Int64(outer), Int64(axis), Int64(inner))
                    }
                    expectClose(y, reference, 1e-6, "\(outer) \(axis) \(inner) \(name)")
                }
            }
        }
    }

    @Suite struct Layout {
        @Test func everyPairOfLayouts() {
            var random = Generator(4)
            for (n, c, s) in [
                (1, 1, 1), (2, 20, 9), (3, 16, 64), (2, 33, 17), (1, 8, 10), (64, 3, 100), (5, 24, 31), (4, 9, 8),
            ] {
                let x = random.floats(n * c * s)
                for from in [1, 8, 16] {
                    for to in [1, 8, 16] {
                        let a = Shape4(n: n, c: c, s: s, b: from), b = Shape4(n: n, c: c, s: s, b: to)
                        everyVariant { name in
                            var y = [Float](repeating: 7, count: b.elements)
                            anneal_relayout(a.blocked(x), Int64(from), &y, Int64(to), Int64(n), Int64(c), Int64(s))
                            #expect(y == b.blocked(x), "\(n) \(c) \(s): \(from) to \(to)")
                        }
                    }
                }
            }
        }
    }
}
