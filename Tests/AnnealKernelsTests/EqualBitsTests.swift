import CAnnealKernels
import CAnnealSystem
import Testing

extension KernelTests {
    /// No bit of a result depends on the number of threads: sums are split by shape, and the pieces added in order. The
    /// shapes are large enough that kernels split their sums and every thread gets some of the work.
    @Suite struct EqualBits {
        private func check(_ name: String, sourceLocation: SourceLocation = #_sourceLocation, _ run: () -> [[Float]]) {
            var first: [String: [[UInt32]]] = [:]
            for count in [1, 2, 3, 8] {
                everyVariant(threads: [Int32(count)]) { variant in
                    let variant = String(variant.prefix { $0 != "," }), results = run().map(bits)
                    guard let expected = first[variant] else {
                        first[variant] = results
                        return
                    }
                    let odd = results.indices.filter { results[$0] != expected[$0] }
                    #expect(
                        odd.isEmpty, "\(name), \(variant), \(count) threads: \(odd)", sourceLocation: sourceLocation)
                }
            }
        }

        private func array(_ count: Int64) -> [Float] { [Float](repeating: 0, count: Int(count)) }

        /// y, dx, dw and db.
        private func checkConvolution(
            _ shape: anneal_conv, winograd: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            var c = shape, random = Generator(50)
            let b = Int(c.b), inputs = Int(c.groups * c.ic), outputs = Int(c.groups * c.oc)
            let xs = Shape4(n: Int(c.n), c: inputs, s: Int(c.ih * c.iw), b: c.plain == 1 ? 1 : b)
            let ys = Shape4(n: Int(c.n), c: outputs, s: Int(c.oh * c.ow), b: b)
            let x = xs.blocked(random.floats(xs.plain)), dy = ys.blocked(random.floats(ys.plain))
            let w = random.floats(Int(anneal_conv_weights(&c))), bias = random.floats(ys.c)
            check("\(shape)", sourceLocation: sourceLocation) {
                c.threads = Int64(anneal_max_threads())
                var y = array(Int64(ys.elements)), dx = array(Int64(xs.elements)), dw = w, db = bias
                func room(_ pass: anneal_pass) -> [Float] {
                    if c.groups > 1 { return array(anneal_groupconv_scratch(&c, pass)) }
                    return array(winograd ? anneal_winograd_scratch(&c, pass) : anneal_denseconv_scratch(&c, pass))
                }
                var forward = room(ANNEAL_FORWARD), data = room(ANNEAL_BACKWARD_DATA),
                    weights = room(ANNEAL_BACKWARD_WEIGHTS)
                if c.groups > 1 {
                    anneal_groupconv_forward(&c, x, w, bias, nil, &y)
                    anneal_groupconv_backward_data(&c, dy, w, &dx)
                    anneal_groupconv_backward_weights(&c, x, dy, &dw, &db, &weights)
                } else if winograd {
                    anneal_winograd_forward(&c, x, w, bias, nil, &y, &forward)
                    anneal_winograd_backward_data(&c, dy, w, &dx, &data)
                    anneal_winograd_backward_weights(&c, x, dy, &dw, &db, &weights)
                } else {
                    anneal_denseconv_forward(&c, x, w, bias, nil, &y, &forward)
                    anneal_denseconv_backward_data(&c, dy, w, &dx, &data)
                    anneal_denseconv_backward_weights(&c, x, dy, &dw, &db, &weights)
                }
                return [y, dx, dw, db]
            }
        }

        @Test(arguments: [8, 16]) func matrixProducts(b: Int) {
            // Rows that are split, output blocks that are divided among threads, and images that overlap in the data's
            // gradient.
            for (n, ic, oc, image, kernel, stride) in [
                (13, 24, 20, 9, 3, 2), (40, 16, 32, 4, 3, 2), (6, 16, 16, 20, 1, 1), (9, 32, 40, 8, 1, 2),
                (3, 96, 128, 6, 3, 2), (5, 128, 512, 7, 1, 1), (64, 8, 8, 1, 1, 1), (2, 8, 16, 30, 7, 2),
            ] {
                checkConvolution(
                    conv(
                        n: n, groups: 1, ic: ic, oc: oc, b: b, image: (image, image), kernel: (kernel, kernel),
                        stride: (stride, stride), pad: (kernel / 2, kernel / 2)))
            }
        }

        @Test(arguments: [8, 16]) func imagesOfFewChannels(b: Int) {
            for (n, ic, oc, image, kernel, stride) in [
                (9, 3, 16, 28, 3, 1), (4, 3, 40, 33, 7, 2), (30, 1, 20, 12, 5, 1),
            ] {
                var c = conv(
                    n: n, groups: 1, ic: ic, oc: oc, b: b, image: (image, image), kernel: (kernel, kernel),
                    stride: (stride, stride))
                c.plain = 1
                checkConvolution(c)
            }
        }

        @Test(arguments: [8, 16]) func winograd(b: Int) {
            for (n, ic, oc, image, kernel, pad) in [
                (20, 16, 16, 28, 3, 1), (33, 24, 40, 9, 3, 1), (5, 64, 64, 13, 3, 1), (12, 20, 50, 12, 5, 0),
                (9, 16, 24, 14, 5, 2), (2, 96, 48, 28, 3, 0),
            ] {
                checkConvolution(
                    conv(
                        n: n, groups: 1, ic: ic, oc: oc, b: b, image: (image, image), kernel: (kernel, kernel),
                        pad: (pad, pad)), winograd: true)
            }
        }

        @Test(arguments: [8, 16]) func groups(b: Int) {
            for (n, groups, ic, image, stride) in [
                (17, 16, 1, 14, 1), (17, 16, 1, 14, 2), (40, 8, 4, 8, 1), (9, 32, 2, 12, 1), (23, 4, 16, 7, 1),
                (12, 2, 32, 9, 2), (64, 16, 8, 2, 1),
            ] {
                checkConvolution(
                    conv(n: n, groups: groups, ic: ic, b: b, image: (image, image), stride: (stride, stride)))
            }
        }

        @Test(arguments: [1, 8, 16]) func batchNorm(b: Int) {
            for (n, c, s) in [(32, 16, 49), (64, 40, 64), (128, 24, 1), (7, 3, 900), (50, 72, 16), (20, 300, 9)] {
                var random = Generator(51)
                let shape = Shape4(n: n, c: c, s: s, b: b), dims = shape.dims
                let x = shape.blocked(random.floats(shape.plain, -2...3))
                let add = shape.blocked(random.floats(shape.plain)), dy = shape.blocked(random.floats(shape.plain))
                let gamma = random.floats(c, 0.5...1.5), beta = random.floats(c)
                check("batch norm \(n) \(c) \(s) b \(b)") {
                    var scratch = array(anneal_batchnorm_scratch(dims)), results: [[Float]] = []
                    for relu in [Int32(0), 1] {
                        for addend in [nil, add] {
                            var mean = array(Int64(c)), variance = mean, y = x, dx = x, masked = x
                            var dgamma = mean, dbeta = mean
                            anneal_batchnorm_forward(
                                x, addend, &y, &mean, &variance, gamma, beta, 1e-3, relu, &scratch, dims)
                            results += [y, mean, variance]
                            // The sign of the addend is known from the result alone.
                            let kind = relu == 1 && addend != nil ? 2 : relu
                            anneal_batchnorm_backward(
                                x, y, dy, nil, mean, variance, gamma, beta, 1e-3, kind, nil, &dx, nil, &dgamma,
                                &dbeta, &scratch, dims)
                            results += [dx, dgamma, dbeta]
                            anneal_batchnorm_backward(
                                x, y, dy, add, mean, variance, gamma, beta, 1e-3, kind, dy, &dx, &masked, &dgamma,
                                &dbeta, &scratch, dims)
                            results += [dx, masked, dgamma, dbeta]
                            anneal_batchnorm_backward_global(
                                x, y, dy, nil, mean, variance, gamma, beta, 1e-3, kind, nil, &dx, nil, &dgamma,
                                &dbeta, &scratch, dims)
                            results += [dx, dgamma, dbeta]
                        }
                    }
                    return results
                }
            }
        }
    }
}
