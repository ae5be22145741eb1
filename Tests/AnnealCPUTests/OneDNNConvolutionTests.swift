import COneDNN
import Testing

@Suite struct OneDNNConvolutionTests {
    /// Memory that is bound again takes the place of what was bound before.
    @Test func isBoundMoreThanOnce() throws {
        var engine: OpaquePointer?, conv: OpaquePointer?, layout: OpaquePointer?
        #expect(adnn_engine_create(&engine) == 0)
        defer { adnn_engine_destroy(engine) }
        var shape = adnn_conv_shape(
            axes: 2, n: 1, groups: 1, ic: 1, oc: 1, in: (2, 2, 1), out: (2, 2, 1), kernel: (1, 1, 1),
            stride: (1, 1, 1), pad: (0, 0, 0), dilate: (1, 1, 1), bias: 1, post: adnn_post_ops())
        #expect(adnn_conv_create(engine, &shape, ADNN_FORWARD_INFERENCE, 1, 1, nil, &conv) == 0)
        defer { adnn_conv_destroy(conv) }
        #expect(adnn_conv_weights_layout(conv, &layout) == 0)
        defer { adnn_layout_destroy(layout) }
        func array(_ count: Int, _ value: Float) -> UnsafeMutablePointer<Float> {
            let pointer = UnsafeMutablePointer<Float>.allocate(capacity: count)
            pointer.initialize(repeating: value, count: count)
            return pointer
        }
        let plain = array(1, 3), weights = array(adnn_layout_elements(layout), 0), bias = array(1, 0.5)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: adnn_conv_scratch_bytes(conv) + 64, alignment: 64)
        defer {
            for pointer in [plain, weights, bias] { pointer.deallocate() }
            scratch.deallocate()
        }
        #expect(adnn_layout_pack(engine, layout, plain, weights) == 0)
        for value in 1...4 {
            let x = array(4, Float(value)), y = array(4, 0)
            defer { for pointer in [x, y] { pointer.deallocate() } }
            #expect(adnn_conv_bind(conv, x, weights, bias, y, scratch) == 0)
            #expect(adnn_conv_execute(conv) == 0)
            #expect((0..<4).allSatisfy { y[$0] == 3 * Float(value) + 0.5 })
        }
    }
}
