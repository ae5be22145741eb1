import AnnealCore
import Foundation
import Testing

/// Pickles made by hand; those of PyTorch, MXNet and CIFAR are in their readers' tests.
@Suite struct PickleReaderTests {
    private static let vocabulary = PickleVocabulary(
        makers: ["shop Box"], names: ["shop Kind"], content: "boxes", suggestion: "pack them")

    private func reader(_ code: String) -> PickleReader { PickleReader(Data(code.utf8), Self.vocabulary) }

    private func failure(_ code: String) -> AnnealError? {
        var reader = reader(code)
        do {
            _ = try reader.next()
            return nil
        } catch { return error as? AnnealError }
    }

    /// `{'a': [1, 2], u'b': (3,)}`, the first key a string of Python 2.
    @Test func readsPlainValues() throws {
        var reader = reader("}(U\u{1}a](K\u{1}K\u{2}eX\u{1}\0\0\0b(K\u{3}tu.")
        let value = try reader.next()
        #expect(reader.value("a", of: value).flatMap(reader.integers) == [1, 2])
        #expect(reader.value("b", of: value).flatMap(reader.integers) == [3])
        #expect(reader.value("c", of: value) == nil)
    }

    /// `shop.Box(5)` becomes a record of the call and its state; nothing is called.
    @Test func namesAreDataOnly() throws {
        var reader = reader("cshop\nBox\n(K\u{5}tR}U\u{1}s(cshop\nKind\ntsb.")
        guard case .object(let index) = try reader.next() else {
            Issue.record("no object")
            return
        }
        #expect(reader.objects[index].maker == "shop Box" && reader.objects[index].state != nil)
        // A name cannot be called, and names of other modules are unknown.
        #expect(failure("cshop\nKind\n)R.")?.code == .damaged)
        let other = failure("ctorch._utils\n_rebuild_tensor_v2\n)R.")
        #expect(other?.problem == "holds torch._utils._rebuild_tensor_v2, which boxes do not need")
        #expect(other?.code == .unsupported && other?.suggestion == "pack them")
    }

    /// Protocol 2 writes the bytes FF 41 as the text "ÿA" and a call of `_codecs.encode`.
    @Test func bytesOfProtocolTwo() throws {
        let text = "X\u{3}\0\0\0\u{ff}A", encode = "c_codecs\nencode\n"
        var reader = reader("\(encode)(\(text)U\u{6}latin1tR.")
        guard case .bytes(let bytes) = try reader.next() else {
            Issue.record("no bytes")
            return
        }
        #expect([UInt8](bytes) == [0xFF, 0x41])
        #expect(failure("\(encode)(X\u{2}\0\0\0\u{100}tR.")?.problem == "a byte is above 255")
        // A single text, referenced again and again, does not fill the memory.
        let long = "X\u{7F}\0\0\0" + String(repeating: "a", count: 127)
        #expect(failure("\(long)q\u{0}" + String(repeating: "\(encode)(h\0tR", count: 20) + ".")?.code == .damaged)
    }
}
