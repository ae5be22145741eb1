import CAnnealKernels
import Testing

/// A convolution's shape, with the output's that follows from it.
func conv(
    n: Int, groups: Int, ic: Int, oc: Int? = nil, b: Int, image: (Int, Int), kernel: (Int, Int) = (3, 3),
    stride: (Int, Int) = (1, 1), pad: (Int, Int) = (1, 1), dilation: (Int, Int) = (1, 1)
) -> anneal_conv {
    func out(_ x: Int, _ k: Int, _ s: Int, _ p: Int, _ d: Int) -> Int64 { Int64((x + 2 * p - d * (k - 1) - 1) / s + 1) }
    return anneal_conv(
        n: Int64(n), groups: Int64(groups), ic: Int64(ic), oc: Int64(oc ?? ic), axes: 2, id: 1, ih: Int64(image.0),
        iw: Int64(image.1), od: 1, oh: out(image.0, kernel.0, stride.0, pad.0, dilation.0),
        ow: out(image.1, kernel.1, stride.1, pad.1, dilation.1), kd: 1, kh: Int64(kernel.0), kw: Int64(kernel.1),
        sd: 1, sh: Int64(stride.0), sw: Int64(stride.1), pd: 0, ph: Int64(pad.0), pw: Int64(pad.1), dd: 1,
        dh: Int64(dilation.0), dw: Int64(dilation.1), b: Int64(b), plain: 0, threads: 1)
}

/// Naive loops in double precision, plain layouts: y, dx, dw and db at once.
struct ConvReference {
    var y: [Double], dx: [Double], dw: [Double], db: [Double]

    init(_ c: anneal_conv, _ x: [Float], _ w: [Float], _ bias: [Float]?, _ dy: [Float]) {
        let (n, groups, ic, oc) = (Int(c.n), Int(c.groups), Int(c.ic), Int(c.oc))
        let (ih, iw, oh, ow, kh, kw) = (Int(c.ih), Int(c.iw), Int(c.oh), Int(c.ow), Int(c.kh), Int(c.kw))
        var y = [Double](repeating: 0, count: dy.count), dx = [Double](repeating: 0, count: x.count)
        var dw = [Double](repeating: 0, count: w.count), db = [Double](repeating: 0, count: groups * oc)
        y.withUnsafeMutableBufferPointer { y in
            dx.withUnsafeMutableBufferPointer { dx in
                dw.withUnsafeMutableBufferPointer { dw in
                    for i in 0..<n {
                        for channel in 0..<(groups * oc) {
                            let first = channel / oc * ic
                            for r in 0..<oh {
                                for q in 0..<ow {
                                    let to = ((i * groups * oc + channel) * oh + r) * ow + q, g = Double(dy[to])
                                    var sum = Double(bias?[channel] ?? 0)
                                    db[channel] += g
                                    for a in 0..<kh {
                                        let h = r * Int(c.sh) - Int(c.ph) + a * Int(c.dh)
                                        if h < 0 || h >= ih { continue }
                                        for b in 0..<kw {
                                            let v = q * Int(c.sw) - Int(c.pw) + b * Int(c.dw)
                                            if v < 0 || v >= iw { continue }
                                            var j = 0
                                            while j < ic {
                                                let from = ((i * groups * ic + first + j) * ih + h) * iw + v
                                                let k = ((channel * ic + j) * kh + a) * kw + b
                                                sum += Double(x[from]) * Double(w[k])
                                                dx[from] += g * Double(w[k])
                                                dw[k] += g * Double(x[from])
                                                j += 1
                                            }
                                        }
                                    }
                                    y[to] = sum
                                }
                            }
                        }
                    }
                }
            }
        }
        (self.y, self.dx, self.dw, self.db) = (y, dx, dw, db)
    }
}

extension KernelTests {
    @Suite struct GroupConv {
        private func check(_ shape: anneal_conv, _ random: inout Generator) {
            var c = shape
            #expect(anneal_groupconv_supported(&c) == 1, "\(c)")
            let xs = Shape4(n: Int(c.n), c: Int(c.groups * c.ic), s: Int(c.ih * c.iw), b: Int(c.b))
            let ys = Shape4(n: Int(c.n), c: Int(c.groups * c.oc), s: Int(c.oh * c.ow), b: Int(c.b))
            let x = random.floats(xs.plain), dy = random.floats(ys.plain), bias = random.floats(ys.c)
            let w = random.floats(Int(c.groups * c.oc * c.ic * c.kh * c.kw))
            #expect(Int(anneal_conv_weights(&c)) == w.count)
            var packed = [Float](repeating: .nan, count: w.count), again = packed
            anneal_conv_pack(&c, w, &packed)
            anneal_conv_unpack(&c, packed, &again)
            #expect(again == w, "\(c)")
            let right = ConvReference(c, x, w, bias, dy)
            let bx = xs.blocked(x), bdy = ys.blocked(dy), lanes = Double(c.ic)
            everyVariant { name in
                let name = "\(c) \(name)"
                var y = [Float](repeating: .nan, count: ys.elements), dx = [Float](repeating: .nan, count: xs.elements)
                anneal_groupconv_forward(&c, bx, packed, bias, nil, &y)
                expectClose(ys.plain(y), right.y, 2e-6, scale: 1 + lanes, "y \(name)")
                anneal_groupconv_forward(&c, bx, packed, nil, nil, &y)
                let channels = right.y.indices.map { $0 / ys.s % ys.c }
                expectClose(
                    ys.plain(y), zip(right.y, channels).map { $0 - Double(bias[$1]) }, 2e-6, scale: 1 + lanes,
                    "y \(name)")
                anneal_groupconv_backward_data(&c, bdy, packed, &dx)
                expectClose(xs.plain(dx), right.dx, 2e-6, scale: 1 + lanes, "dx \(name)")
                func weights() -> ([Float], [Float]) {
                    var scratch = [Float](
                        repeating: .nan, count: Int(anneal_groupconv_scratch(&c, ANNEAL_BACKWARD_WEIGHTS)))
                    var dw = [Float](repeating: .nan, count: w.count), db = [Float](repeating: .nan, count: ys.c)
                    anneal_groupconv_backward_weights(&c, bx, bdy, &dw, &db, &scratch)
                    return (dw, db)
                }
                let (dw, db) = weights()
                var plain = dw
                anneal_conv_unpack(&c, dw, &plain)
                let unit = Double(ys.n * ys.s).squareRoot()
                expectClose(plain, right.dw, 3e-6, scale: unit, "dw \(name)")
                expectClose(db, right.db, 3e-6, scale: unit, "db \(name)")
                let (dw2, db2) = weights()
                #expect(bits(dw) == bits(dw2) && bits(db) == bits(db2), "\(name)")
            }
        }

        @Test(arguments: [8, 16]) func channelsPerGroup(b: Int) {
            var random = Generator(20)
            for ic in [1, 2, 4, 8, 16, 32, 48, 64] where ic < b || ic % b == 0 {
                let groups = max(2 * b / ic, 2)
                check(conv(n: 5, groups: groups, ic: ic, b: b, image: (5, 5)), &random)
                check(conv(n: 7, groups: groups, ic: ic, b: b, image: (1, 1)), &random)
                check(conv(n: 13, groups: groups, ic: ic, b: b, image: (2, 2)), &random)
                check(conv(n: 2, groups: groups, ic: ic, b: b, image: (7, 6), stride: (2, 2)), &random)
            }
        }

        @Test(arguments: [(8, 4), (8, 8), (16, 2), (16, 16), (8, 1), (8, 16)]) func geometries(b: Int, ic: Int) {
            var random = Generator(21)
            let groups = max(b / ic, 1)
            for n in [1, 6] {
                check(conv(n: n, groups: groups, ic: ic, b: b, image: (14, 15)), &random)
                check(conv(n: n, groups: groups, ic: ic, b: b, image: (13, 17), stride: (2, 2)), &random)
                check(conv(n: n, groups: groups, ic: ic, b: b, image: (8, 8), stride: (2, 2)), &random)
                check(conv(n: n, groups: groups, ic: ic, b: b, image: (9, 16), stride: (1, 3), pad: (0, 2)), &random)
                check(conv(n: n, groups: groups, ic: ic, b: b, image: (12, 11), pad: (2, 2), dilation: (2, 2)), &random)
                check(
                    conv(
                        n: n, groups: groups, ic: ic, b: b, image: (15, 14), kernel: (5, 2), stride: (2, 1),
                        pad: (3, 0),
                        dilation: (1, 3)), &random)
                check(
                    conv(
                        n: n, groups: groups, ic: ic, b: b, image: (6, 20), kernel: (1, 1), stride: (2, 2), pad: (0, 0)),
                    &random)
                check(conv(n: n, groups: groups, ic: ic, b: b, image: (3, 3), kernel: (7, 7), pad: (3, 3)), &random)
            }
        }

        /// Samples a multiple of 2 KB apart are copied together first.
        @Test func samplesThatShareSets() {
            var random = Generator(24)
            for image in [(8, 10), (8, 9), (4, 4)] {
                check(conv(n: 13, groups: 64, ic: 1, b: 8, image: image), &random)
                check(conv(n: 27, groups: 64, ic: 1, b: 16, image: image), &random)
                check(conv(n: 13, groups: 8, ic: 8, b: 8, image: image), &random)
            }
        }

        @Test func unequalSides() {
            var random = Generator(22)
            check(conv(n: 3, groups: 2, ic: 8, oc: 24, b: 8, image: (4, 4)), &random)
            check(conv(n: 3, groups: 2, ic: 32, oc: 16, b: 16, image: (4, 13)), &random)
        }

        @Test func randomShapes() {
            var random = Generator(23)
            for _ in 0..<40 {
                func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
                let b = pick(0...1) == 0 ? 8 : 16, ic = [1, 2, 4, b][pick(0...3)]
                let kernel = (pick(1...4), pick(1...4)), dilation = (pick(1...2), pick(1...2))
                let image = (pick(8...18), pick(8...18))
                check(
                    conv(
                        n: pick(1...6), groups: b / ic * pick(1...2), ic: ic, b: b, image: image, kernel: kernel,
                        stride: (pick(1...3), pick(1...3)), pad: (pick(0...3), pick(0...3)), dilation: dilation),
                    &random)
            }
        }

        @Test func whatIsNotSupported() {
            var odd = conv(n: 1, groups: 8, ic: 3, b: 8, image: (4, 4))
            #expect(anneal_groupconv_supported(&odd) == 0)
            var plain = conv(n: 1, groups: 8, ic: 8, b: 1, image: (4, 4))
            #expect(anneal_groupconv_supported(&plain) == 0)
            var half = conv(n: 1, groups: 3, ic: 4, b: 8, image: (4, 4))
            #expect(anneal_groupconv_supported(&half) == 0)
            // Offsets would not fit in 32 bits.
            var huge = conv(n: 1, groups: 8, ic: 1, b: 8, image: (20000, 20000))
            #expect(anneal_groupconv_supported(&huge) == 0)
        }
    }
}
