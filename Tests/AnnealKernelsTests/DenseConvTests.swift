import CAnnealKernels
import CAnnealSystem
import Testing

extension KernelTests {
    /// The kernels for one group, Winograd's and the matrix products, compared with naive loops.
    @Suite struct DenseConv {
        private typealias Forward = (
            UnsafePointer<anneal_conv>?, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?,
            UnsafePointer<anneal_post>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?
        ) -> Void
        private typealias Data = (
            UnsafePointer<anneal_conv>?, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?,
            UnsafeMutablePointer<Float>?
        ) -> Void
        private typealias Weights = (
            UnsafePointer<anneal_conv>?, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?,
            UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?
        ) -> Void
        private struct Kernels {
            var name: String
            var supported: (UnsafePointer<anneal_conv>?) -> Int32
            var scratch: (UnsafePointer<anneal_conv>?, anneal_pass) -> Int64
            var forward: Forward
            var data: Data
            var weights: Weights
            /// Relative to the square root of the number of products in a sum.
            var tolerance: Double
        }
        // Winograd's transforms multiply rounding errors (Barabasz et al. 2020), by about ten at 4 x 4.
        private let winograd = Kernels(
            name: "winograd", supported: anneal_winograd_supported, scratch: anneal_winograd_scratch,
            forward: anneal_winograd_forward, data: anneal_winograd_backward_data,
            weights: anneal_winograd_backward_weights,
            tolerance: 1e-5)
        private let dense = Kernels(
            name: "dense", supported: anneal_denseconv_supported, scratch: anneal_denseconv_scratch,
            forward: anneal_denseconv_forward, data: anneal_denseconv_backward_data,
            weights: anneal_denseconv_backward_weights,
            tolerance: 1e-6)

        private func check(_ kernels: Kernels, _ shape: anneal_conv, _ random: inout Generator) {
            var c = shape
            #expect(kernels.supported(&c) == 1, "\(c)")
            let xs = Shape4(n: Int(c.n), c: Int(c.ic), s: Int(c.ih * c.iw), b: c.plain == 1 ? 1 : Int(c.b))
            let ys = Shape4(n: Int(c.n), c: Int(c.oc), s: Int(c.oh * c.ow), b: Int(c.b))
            let x = random.floats(xs.plain), dy = random.floats(ys.plain), bias = random.floats(ys.c)
            let w = random.floats(Int(c.oc * c.ic * c.kh * c.kw))
            let count = Int(anneal_conv_weights(&c))
            var packed = [Float](repeating: .nan, count: count), again = w
            anneal_conv_pack(&c, w, &packed)
            anneal_conv_unpack(&c, packed, &again)
            #expect(again == w, "\(c)")
            let right = ConvReference(c, x, w, bias, dy)
            let bx = xs.blocked(x), bdy = ys.blocked(dy)
            everyVariant { name in
                c.threads = Int64(anneal_max_threads())
                let name = "\(kernels.name) \(c) \(name)"
                func scratch(_ pass: anneal_pass) -> [Float] {
                    [Float](repeating: .nan, count: Int(kernels.scratch(&c, pass)) + 64)
                }
                func expectRest(_ room: [Float]) {
                    let isWhole = room.suffix(64).allSatisfy { $0.isNaN }
                    #expect(isWhole, "scratch of \(name)")
                }
                var room = scratch(ANNEAL_FORWARD)
                var y = [Float](repeating: .nan, count: ys.elements), dx = [Float](repeating: .nan, count: xs.elements)
                let taps = Double(c.kh * c.kw)
                kernels.forward(&c, bx, packed, bias, nil, &y, &room)
                let unit = kernels.tolerance * (Double(c.ic) * taps).squareRoot()
                expectClose(ys.plain(y), right.y, unit, scale: 1, "y \(name)")
                #expect(ys.fillingIsZero(y), "\(name)")
                kernels.forward(&c, bx, packed, nil, nil, &y, &room)
                let channels = right.y.indices.map { $0 / ys.s % ys.c }
                expectClose(
                    ys.plain(y), zip(right.y, channels).map { $0 - Double(bias[$1]) }, unit, scale: 1, "y \(name)")
                var post = anneal_post(sum: 1, clip: 1, low: -0.25, high: 2)
                var sum = bdy
                kernels.forward(&c, bx, packed, bias, &post, &sum, &room)
                expectClose(
                    ys.plain(sum), zip(right.y, dy).map { min(max($0 + Double($1), -0.25), 2) }, unit, scale: 1,
                    "sum, limited \(name)")
                expectRest(room)
                room = scratch(ANNEAL_BACKWARD_DATA)
                kernels.data(&c, bdy, packed, &dx, &room)
                expectRest(room)
                expectClose(
                    xs.plain(dx), right.dx, kernels.tolerance * (Double(c.oc) * taps).squareRoot(), scale: 1,
                    "dx \(name)")
                #expect(xs.fillingIsZero(dx), "\(name)")
                func weights() -> ([Float], [Float]) {
                    var room = scratch(ANNEAL_BACKWARD_WEIGHTS)
                    var dw = [Float](repeating: .nan, count: count), db = [Float](repeating: .nan, count: ys.c)
                    kernels.weights(&c, bx, bdy, &dw, &db, &room)
                    expectRest(room)
                    return (dw, db)
                }
                let (dw, db) = weights()
                var plain = w
                anneal_conv_unpack(&c, dw, &plain)
                let sums = kernels.tolerance * Double(ys.n * ys.s).squareRoot()
                expectClose(plain, right.dw, sums, scale: 1, "dw \(name)")
                expectClose(db, right.db, sums, scale: 1, "db \(name)")
                // The weights' padding gets no gradient.
                var filling = dw
                anneal_conv_pack(&c, plain, &filling)
                #expect(filling == dw, "\(name)")
                let (dw2, db2) = weights()
                #expect(bits(dw) == bits(dw2) && bits(db) == bits(db2), "\(name)")
            }
        }

        @Test(arguments: [8, 16]) func winogradTiles(b: Int) {
            var random = Generator(30)
            for (h, w) in [(7, 7), (4, 9), (28, 12), (3, 70), (14, 14)] {
                check(winograd, conv(n: 2, groups: 1, ic: b, oc: 2 * b, b: b, image: (h, w)), &random)
            }
            check(winograd, conv(n: 3, groups: 1, ic: 3 * b, oc: b, b: b, image: (9, 6), pad: (0, 2)), &random)
            check(winograd, conv(n: 1, groups: 1, ic: b, oc: b, b: b, image: (3, 3), pad: (0, 0)), &random)
        }

        /// The data's gradient of images much larger than their results takes another code path.
        @Test(arguments: [8, 16]) func winogradOfLargerKernels(b: Int) {
            var random = Generator(35)
            for (side, pad) in [
                ((12, 12), (0, 0)), ((9, 14), (2, 2)), ((5, 5), (4, 4)), ((6, 71), (1, 3)), ((5, 6), (0, 0)),
            ] {
                check(
                    winograd, conv(n: 3, groups: 1, ic: 20, oc: 50, b: b, image: side, kernel: (5, 5), pad: pad),
                    &random)
            }
            check(
                winograd, conv(n: 2, groups: 1, ic: 64, oc: 40, b: b, image: (14, 14), kernel: (5, 5), pad: (2, 2)),
                &random)
            // More tiles than are transformed together, so that an image is split.
            check(
                winograd, conv(n: 50, groups: 1, ic: 6, oc: 12, b: b, image: (9, 9), kernel: (5, 5), pad: (0, 0)),
                &random)
            check(winograd, conv(n: 5, groups: 1, ic: 3, oc: 10, b: b, image: (5, 5), pad: (0, 0)), &random)
        }

        @Test func winogradOfManyChannels() {
            var random = Generator(31)
            check(winograd, conv(n: 2, groups: 1, ic: 64, oc: 72, b: 8, image: (7, 6)), &random)
            check(winograd, conv(n: 1, groups: 1, ic: 80, oc: 48, b: 16, image: (6, 9)), &random)
        }

        /// A single chain of additions is wrong by some per mille.
        @Test func biasesOfLargeImages() {
            var plain = conv(n: 1, groups: 1, ic: 3, oc: 8, b: 8, image: (512, 512))
            plain.plain = 1
            let wide = conv(n: 1, groups: 1, ic: 32, oc: 64, b: 8, image: (512, 512))
            for (kernels, shape) in [(winograd, wide), (dense, plain)] {
                var c = shape
                let x = [Float](repeating: 0, count: Int(c.ic * c.ih * c.iw))
                let dy = [Float](repeating: 0.1, count: Int(c.oc * c.oh * c.ow))
                var room = [Float](repeating: .nan, count: Int(kernels.scratch(&c, ANNEAL_BACKWARD_WEIGHTS)))
                var dw = [Float](repeating: .nan, count: Int(anneal_conv_weights(&c)))
                var db = [Float](repeating: .nan, count: Int(c.oc))
                kernels.weights(&c, x, dy, &dw, &db, &room)
                let sum = Double(Float(0.1)) * Double(c.oh * c.ow)
                expectClose(db, db.map { _ in sum }, 2e-5, scale: 0, kernels.name)
            }
        }

        @Test(arguments: [8, 16]) func pointwise(b: Int) {
            var random = Generator(32)
            for (side, stride) in [(1, 1), (2, 1), (7, 1), (9, 1), (7, 2), (8, 3)] {
                check(
                    dense,
                    conv(
                        n: 5, groups: 1, ic: 2 * b, oc: 3 * b, b: b, image: (side, side), kernel: (1, 1),
                        stride: (stride, stride), pad: (0, 0)), &random)
            }
            check(
                dense, conv(n: 3, groups: 1, ic: 288, oc: 240, b: b, image: (2, 2), kernel: (1, 1), pad: (0, 0)),
                &random)
        }

        @Test func anyKernel() {
            var random = Generator(33)
            for _ in 0..<30 {
                func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
                check(
                    dense,
                    conv(
                        n: pick(1...5), groups: 1, ic: pick(3...40), oc: pick(3...40), b: pick(0...1) == 0 ? 8 : 16,
                        image: (pick(8...14), pick(8...14)), kernel: (pick(1...5), pick(1...5)),
                        stride: (pick(1...3), pick(1...3)), pad: (pick(0...2), pick(0...2)),
                        dilation: (pick(1...2), pick(1...2))), &random)
            }
        }

        @Test(arguments: [8, 16]) func plainImages(b: Int) {
            var random = Generator(34)
            for (ic, kernel, stride, pad, dilation) in [
                (1, (5, 5), (1, 1), (0, 0), (1, 1)), (3, (7, 7), (2, 2), (3, 3), (1, 1)),
                (3, (3, 3), (1, 1), (1, 1), (1, 1)), (2, (1, 1), (2, 1), (0, 0), (1, 1)),
                (4, (3, 2), (1, 3), (2, 4), (2, 3)), (3, (4, 4), (4, 4), (6, 7), (1, 1)),
            ] {
                for (oc, image) in [(20, (13, 11)), (5, (40, 45)), (34, (12, 30))] {
                    var shape = conv(
                        n: 5, groups: 1, ic: ic, oc: oc, b: b, image: image, kernel: kernel, stride: stride, pad: pad,
                        dilation: dilation)
                    shape.plain = 1
                    check(dense, shape, &random)
                }
            }
        }

        @Test func whatIsNotSupported() {
            var strided = conv(n: 1, groups: 1, ic: 8, b: 8, image: (8, 8), stride: (2, 2))
            #expect(anneal_winograd_supported(&strided) == 0)
            var groups = conv(n: 1, groups: 2, ic: 8, b: 8, image: (8, 8))
            #expect(anneal_winograd_supported(&groups) == 0 && anneal_denseconv_supported(&groups) == 0)
            // Its lines would be copied with 100,000 columns of padding on either side.
            var wide = conv(
                n: 1, groups: 1, ic: 1, b: 8, image: (28, 28), pad: (100_000, 100_000), dilation: (100_000, 100_000))
            wide.plain = 1
            #expect(anneal_denseconv_supported(&wide) == 0)
            wide.plain = 0
            #expect(anneal_denseconv_supported(&wide) == 1)
        }
    }
}
