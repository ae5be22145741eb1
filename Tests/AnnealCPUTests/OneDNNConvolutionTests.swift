import CAnnealKernels
import COneDNN
import Testing

@Suite struct OneDNNConvolutionTests {
    /// Memory that is bound again replaces the memory that was bound before.
    @Test func isBoundMoreThanOnce() throws {
        var engine: OpaquePointer?, conv: OpaquePointer?, layout: OpaquePointer?
        #expect(onednn_engine_create(&engine) == 0)
        defer { onednn_engine_destroy(engine) }
        // 1x1 on an image of 2x2.
        var shape = anneal_conv(
            n: 1, groups: 1, ic: 1, oc: 1, axes: 2, id: 1, ih: 2, iw: 2, od: 1, oh: 2, ow: 2, kd: 1, kh: 1, kw: 1,
            sd: 1, sh: 1, sw: 1, pd: 0, ph: 0, pw: 0, dd: 1, dh: 1, dw: 1, b: 0, plain: 0, threads: 0)
        var options = onednn_conv_options(bias: 1, inference: 1, post: anneal_post())
        #expect(onednn_conv_create(engine, &shape, ANNEAL_FORWARD, &options, 1, 1, nil, &conv) == 0)
        defer { onednn_conv_destroy(conv) }
        #expect(onednn_conv_weights_layout(conv, &layout) == 0)
        defer { onednn_layout_destroy(layout) }
        func array(_ count: Int, _ value: Float) -> UnsafeMutablePointer<Float> {
            let pointer = UnsafeMutablePointer<Float>.allocate(capacity: count)
            pointer.initialize(repeating: value, count: count)
            return pointer
        }
        let plain = array(1, 3), weights = array(onednn_layout_elements(layout), 0), bias = array(1, 0.5)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: onednn_conv_scratch_bytes(conv) + 64, alignment: 64)
        defer {
            for pointer in [plain, weights, bias] { pointer.deallocate() }
            scratch.deallocate()
        }
        #expect(onednn_layout_pack(engine, layout, plain, weights) == 0)
        for value in 1...4 {
            let x = array(4, Float(value)), y = array(4, 0)
            defer { for pointer in [x, y] { pointer.deallocate() } }
            #expect(onednn_conv_bind(conv, x, weights, bias, y, scratch) == 0)
            #expect(onednn_conv_execute(conv) == 0)
            #expect((0..<4).allSatisfy { y[$0] == 3 * Float(value) + 0.5 })
            // oneDNN 3 keeps some names in a descriptor that has been destroyed by now.
            let name = String(cString: onednn_conv_implementation(conv))
            #expect(name.count > 2 && name.allSatisfy { $0.isASCII && !$0.isWhitespace })
        }
    }
}
