import CAnnealKernels
import Foundation
import Testing

/// The references, in double precision over the plain layout.
private struct Reference {
    let shape: Shape4
    let eps: Double
    func channels(_ body: (Int, [Int]) -> Void) {
        for c in 0..<shape.c {
            var indices: [Int] = []
            for i in 0..<shape.n { for k in 0..<shape.s { indices.append((i * shape.c + c) * shape.s + k) } }
            body(c, indices)
        }
    }

    func statistics(_ x: [Float]) -> (mean: [Double], variance: [Double]) {
        var mean = [Double](repeating: 0, count: shape.c), variance = mean
        channels { c, indices in
            mean[c] = indices.reduce(0) { $0 + Double(x[$1]) } / Double(indices.count)
            variance[c] = indices.reduce(0) { $0 + pow(Double(x[$1]) - mean[c], 2) } / Double(indices.count)
        }
        return (mean, variance)
    }

    func apply(
        _ x: [Float], _ addend: [Float]?, _ mean: [Double], _ variance: [Double], _ gamma: [Float]?, _ beta: [Float],
        relu: Bool
    ) -> [Double] {
        var y = [Double](repeating: 0, count: x.count)
        channels { c, indices in
            for k in indices {
                var v = Double(gamma?[c] ?? 1) * (Double(x[k]) - mean[c]) / sqrt(variance[c] + eps) + Double(beta[c])
                if let addend { v += Double(addend[k]) }
                y[k] = relu ? max(v, 0) : v
            }
        }
        return y
    }

    func backward(
        _ x: [Float], _ g: [Double], _ mean: [Double], _ variance: [Double], _ gamma: [Float]?, fixed: Bool,
        accumulate: [Float]?
    ) -> (dx: [Double], dgamma: [Double], dbeta: [Double]) {
        var dx = [Double](repeating: 0, count: x.count), dgamma = [Double](repeating: 0, count: shape.c), dbeta = dgamma
        channels { c, indices in
            let inverse = 1 / sqrt(variance[c] + eps), count = Double(indices.count)
            for k in indices {
                dbeta[c] += g[k]
                dgamma[c] += g[k] * (Double(x[k]) - mean[c]) * inverse
            }
            for k in indices {
                let hat = (Double(x[k]) - mean[c]) * inverse
                let inner = fixed ? g[k] : g[k] - dbeta[c] / count - hat * dgamma[c] / count
                dx[k] = Double(gamma?[c] ?? 1) * inverse * inner + Double(accumulate?[k] ?? 0)
            }
        }
        return (dx, dgamma, dbeta)
    }
}

extension KernelTests {
    @Suite struct BatchNorm {
        static let sizes = [
            (n: 4, c: 20, s: 15), (n: 64, c: 16, s: 1), (n: 3, c: 3, s: 1), (n: 2, c: 32, s: 49), (n: 1, c: 8, s: 1500),
            (n: 16, c: 40, s: 4), (n: 7, c: 9, s: 300), (n: 33, c: 264, s: 1), (n: 1, c: 5, s: 1),
        ]

        @Test(arguments: [1, 8, 16]) func forward(b: Int) {
            var random = Generator(5)
            for size in Self.sizes {
                let shape = Shape4(n: size.n, c: size.c, s: size.s, b: b), eps: Float = 1e-3
                let x = random.floats(shape.plain, -2...3), addend = random.floats(shape.plain)
                let gamma = random.floats(shape.c, 0.5...1.5), beta = random.floats(shape.c)
                let reference = Reference(shape: shape, eps: Double(eps))
                let (mean, variance) = reference.statistics(x)
                let bx = shape.blocked(x), badd = shape.blocked(addend)
                let expected = [false, true].map { relu in
                    [nil, addend].map { add in
                        [nil, gamma].map { reference.apply(x, add, mean, variance, $0, beta, relu: relu) }
                    }
                }
                everyVariant { name in
                    let name = "\(size) b \(b) \(name)"
                    var m = [Float](repeating: 7, count: shape.c), v = m
                    var scratch = [Float](repeating: .nan, count: Int(anneal_batchnorm_scratch(shape.dims)))
                    anneal_batchnorm_statistics(bx, &m, &v, &scratch, shape.dims)
                    expectClose(m, mean, 1e-6, scale: 1, name)
                    expectClose(v, variance, 3e-6, name)
                    for relu in [false, true] {
                        for add in [nil, badd] {
                            for gamma in [nil, gamma] {
                                var y = [Float](repeating: 7, count: shape.elements)
                                anneal_batchnorm_apply(
                                    bx, add, &y, m, v, gamma, beta, eps,
                                    relu ? 1 : 0, shape.dims)
                                let right = expected[relu ? 1 : 0][add == nil ? 0 : 1][gamma == nil ? 0 : 1]
                                expectClose(shape.plain(y), right, 5e-6, scale: 2, name)
                                #expect(shape.fillingIsZero(y))
                                // In place, including the statistics.
                                var z = bx, m2 = m, v2 = v
                                z.withUnsafeMutableBufferPointer { p in
                                    anneal_batchnorm_forward(
                                        p.baseAddress!, add, p.baseAddress!, &m2, &v2, gamma,
                                        beta, eps, relu ? 1 : 0, &scratch, shape.dims)
                                }
                                #expect(bits(z) == bits(y) && bits(m2) == bits(m) && bits(v2) == bits(v), "\(name)")
                            }
                        }
                    }
                }
            }
        }

        @Test(arguments: [1, 8, 16]) func largeMean(b: Int) {
            var random = Generator(6)
            for size in [(n: 16, c: 20, s: 196), (n: 128, c: 10, s: 1), (n: 2, c: 8, s: 3000)] {
                let shape = Shape4(n: size.n, c: size.c, s: size.s, b: b)
                let root3 = Float(3).squareRoot()
                let x = random.floats(shape.plain, (1e4 - root3)...(1e4 + root3))
                let reference = Reference(shape: shape, eps: 1e-5)
                let (mean, variance) = reference.statistics(x)
                everyVariant { name in
                    var m = [Float](repeating: 0, count: shape.c), v = m
                    var scratch = [Float](repeating: 0, count: Int(anneal_batchnorm_scratch(shape.dims)))
                    anneal_batchnorm_statistics(shape.blocked(x), &m, &v, &scratch, shape.dims)
                    expectClose(m, mean, 1e-7, name)
                    expectClose(v, variance, 2e-5, name)
                }
            }
        }

        /// A shift computed from the first values alone would fail here.
        @Test func firstValuesAreOutliers() {
            var random = Generator(7)
            let shape = Shape4(n: 64, c: 8, s: 64, b: 8)
            var x = random.floats(shape.plain)
            for c in 0..<8 { x[c * 64] = 3000 }
            let (mean, variance) = Reference(shape: shape, eps: 0).statistics(x)
            everyVariant { name in
                var m = [Float](repeating: 0, count: 8), v = m
                var scratch = [Float](repeating: 0, count: Int(anneal_batchnorm_scratch(shape.dims)))
                anneal_batchnorm_statistics(shape.blocked(x), &m, &v, &scratch, shape.dims)
                expectClose(m, mean, 1e-5, name)
                expectClose(v, variance, 1e-5, name)
            }
        }

        @Test(arguments: [1, 8, 16], [0, 1, 2]) func backward(b: Int, relu: Int) {
            var random = Generator(8)
            for size in Self.sizes {
                let shape = Shape4(n: size.n, c: size.c, s: size.s, b: b), eps: Float = 1e-3
                let x = random.floats(shape.plain, -2...3), dy = random.floats(shape.plain)
                let more = random.floats(shape.plain), addend = random.floats(shape.plain)
                let gamma = random.floats(shape.c, 0.5...1.5), beta = random.floats(shape.c)
                let reference = Reference(shape: shape, eps: Double(eps))
                let (mean, variance) = reference.statistics(x)
                let m = mean.map { Float($0) }, v = variance.map { Float($0) }
                // The mask from the kernel's own forward pass, so that values close to 0 do not matter.
                var y = [Float](repeating: 0, count: shape.elements)
                let bx = shape.blocked(x), bdy = shape.blocked(dy), bmore = shape.blocked(more)
                let badd = relu == 2 ? shape.blocked(addend) : nil
                everyVariant { name in
                    let name = "\(size) b \(b) relu \(relu) \(name)"
                    anneal_batchnorm_apply(
                        bx, badd, &y, m, v, gamma, beta, eps, 1, shape.dims)
                    let mask = shape.plain(y)
                    let g = dy.enumerated().map { relu == 0 || mask[$0] > 0 ? Double($1) : 0 }
                    var scratch = [Float](repeating: .nan, count: Int(anneal_batchnorm_scratch(shape.dims)))
                    for fixed in [false, true] {
                        for add in [nil, more] {
                            let (dx, dgamma, dbeta) = reference.backward(
                                x, g, mean, variance, gamma, fixed: fixed, accumulate: add)
                            let call = fixed ? anneal_batchnorm_backward_global : anneal_batchnorm_backward
                            let tolerance = 2e-5, unit = 1.0
                            func check(_ out: [Float], _ gammas: [Float]?, _ betas: [Float]?, _ what: String) {
                                expectClose(shape.plain(out), dx, tolerance, scale: unit, "\(what) dx \(name)")
                                #expect(shape.fillingIsZero(out), "\(what) \(name)")
                                let scale = Double(shape.n * shape.s).squareRoot()
                                if let gammas {
                                    expectClose(gammas, dgamma, tolerance, scale: scale, "\(what) dgamma \(name)")
                                }
                                if let betas {
                                    expectClose(betas, dbeta, tolerance, scale: scale, "\(what) dbeta \(name)")
                                }
                            }
                            let bmore = add == nil ? nil : bmore
                            var out = [Float](repeating: 7, count: shape.elements), masked = out
                            var gs = [Float](repeating: 7, count: shape.c), bs = gs
                            // Separately, with the masked gradient kept.
                            call(
                                bx, y, bdy, nil, m, v, gamma, beta, eps, Int32(relu), bmore, &out, &masked, &gs, &bs,
                                &scratch,
                                shape.dims)
                            check(out, gs, bs, "apart")
                            #expect(
                                shape.plain(masked).map { Double($0) } == g && shape.fillingIsZero(masked), "\(name)")
                            // Two output gradients that sum to dy.
                            let half = bdy.map { $0 / 2 }
                            call(
                                bx, y, half, half, m, v, gamma, beta, eps, Int32(relu), bmore, &out, &masked, &gs, &bs,
                                &scratch, shape.dims)
                            check(out, gs, bs, "two heads")
                            #expect(shape.plain(masked).map { Double($0) } == g, "\(name)")
                            // dx written over dy.
                            var head = bdy
                            head.withUnsafeMutableBufferPointer { p in
                                call(
                                    bx, y, p.baseAddress!, nil, m, v, gamma, beta, eps, Int32(relu), bmore,
                                    p.baseAddress!, nil,
                                    &gs, &bs, &scratch, shape.dims)
                            }
                            check(head, gs, bs, "dx == dy")
                            // The masked gradient written over dy, only dx requested.
                            head = bdy
                            head.withUnsafeMutableBufferPointer { p in
                                call(
                                    bx, y, p.baseAddress!, nil, m, v, gamma, beta, eps, Int32(relu), bmore, &out,
                                    p.baseAddress!, nil, nil, &scratch, shape.dims)
                            }
                            check(out, nil, nil, "dmasked == dy")
                            #expect(shape.plain(head).map { Double($0) } == g, "\(name)")
                            // dx written over the accumulated gradient.
                            if var total = bmore {
                                total.withUnsafeMutableBufferPointer { p in
                                    call(
                                        bx, y, bdy, nil, m, v, gamma, beta, eps, Int32(relu), p.baseAddress!,
                                        p.baseAddress!,
                                        nil, nil, nil, &scratch, shape.dims)
                                }
                                check(total, nil, nil, "dx == accumulate")
                            }
                            // Only the parameters' gradients.
                            call(
                                bx, y, bdy, nil, m, v, gamma, beta, eps, Int32(relu), nil, nil, nil, &gs, &bs, &scratch,
                                shape.dims)
                            check(out, gs, bs, "parameters")
                        }
                    }
                }
            }
        }

        @Test func sameBitsTwice() {
            var random = Generator(9)
            let shape = Shape4(n: 64, c: 24, s: 196, b: 8)
            let x = random.floats(shape.elements), dy = random.floats(shape.elements)
            let gamma = random.floats(24), beta = random.floats(24)
            everyVariant(threads: [2, 5]) { name in
                func run() -> [UInt32] {
                    var m = [Float](repeating: 0, count: 24), v = m, dg = m, db = m, y = x, dx = x
                    var scratch = [Float](repeating: 0, count: Int(anneal_batchnorm_scratch(shape.dims)))
                    anneal_batchnorm_forward(x, nil, &y, &m, &v, gamma, beta, 1e-3, 1, &scratch, shape.dims)
                    anneal_batchnorm_backward(
                        x, nil, dy, nil, m, v, gamma, beta, 1e-3, 1, nil, &dx, nil, &dg, &db, &scratch, shape.dims)
                    return bits(m + v + y + dx + dg + db)
                }
                let first = run()
                for _ in 0..<5 { #expect(run() == first, "\(name)") }
            }
        }
    }
}
