import AnnealGraph
import AnnealONNX
import Foundation
import Testing

@Suite struct ProtobufTests {
    /// A model of one ReLU on data (N, 300), byte by byte according to the format's description.
    @Test func bytesByHand() throws {
        let symbol = try SymbolBuilder().activation(.variable("data"), .relu, name: "r")
        let model = try ONNXModel(symbol, parameters: [:], inputs: ["data": [1, 300]])
        func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
        func text(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
        func port(_ name: String) -> [UInt8] {
            // 300 is 0b10_0101100: seven bits at a time, the lowest first.
            let extents = field(1, text(2, "N")) + field(1, [1 << 3, 0xac, 0x02])
            return text(1, name) + field(2, field(1, [1 << 3, 1] + field(2, extents)))
        }
        let node = text(1, "data") + text(2, "r_output") + text(3, "r") + text(4, "Relu")
        let graph = field(1, node) + text(2, "network") + field(11, port("data")) + field(12, port("r_output"))
        let expected = [1 << 3, 8] + text(2, "Anneal") + field(7, graph) + field(8, text(1, "") + [2 << 3, 17])
        #expect([UInt8](model.encoded()) == expected)
    }
}
