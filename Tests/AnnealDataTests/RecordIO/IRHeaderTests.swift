import AnnealCore
import AnnealData
import Testing

@Suite struct IRHeaderTests {
    @Test func aScalarLabel() throws {
        let bytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0x40, 0x40, 11, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2]
        var start = 0
        let header = try IRHeader(bytes, imageStart: &start)
        #expect(header == IRHeader(label: 3, id: 11, id2: 2))
        #expect(start == 24)
        #expect(header.packed([1, 2]) == bytes)
    }

    @Test func aListOfLabels() throws {
        let header = IRHeader(labels: [1, -0.5], id: UInt64.max)
        let bytes = header.packed([7])
        #expect(Array(bytes.prefix(8)) == [2, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(bytes[24..<32]) == [0, 0, 0x80, 0x3F, 0, 0, 0, 0xBF])
        var start = 0
        #expect(try IRHeader(bytes, imageStart: &start) == header)
        #expect(start == 32)
        #expect(IRHeader(labels: [4], id: 0).flag == 1)
    }

    @Test func shortAndLyingHeadersAreErrors() {
        var start = 0
        #expect(message { _ = try IRHeader([1, 2, 3], imageStart: &start) }.contains("3 bytes"))
        let lying = [0xFF, 0xFF, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 30)
        #expect(message { _ = try IRHeader(lying, imageStart: &start) }.contains("4294967295 labels"))
    }
}
