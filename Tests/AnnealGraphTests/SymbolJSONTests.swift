import AnnealCore
import AnnealGraph
import Foundation
import Testing

@Suite struct SymbolJSONTests {
    private func read(_ text: String) throws -> Symbol { try Symbol(json: Data(text.utf8)) }

    /// A file with these nodes, the last of which is its output.
    private func file(_ nodes: [String], heads: String? = nil) -> String {
        "{\"nodes\": [\(nodes.joined(separator: ", "))], \"heads\": \(heads ?? "[[\(nodes.count - 1), 0, 0]]"), "
            + "\"attrs\": {\"mxnet_version\": [\"int\", 10901]}}"
    }
    private let data = #"{"op": "null", "name": "data", "inputs": []}"#

    @Test(arguments: ["lenet", "mlp", "resnet-20-28", "resnext-20-28", "mobilenet-0.25-64", "alexnet-fp16"])
    func writesWhatItReads(_ name: String) throws {
        let text = try Fixtures.text("networks/\(name)-symbol.json")
        #expect(try read(text).json() == text)
    }

    @Test(arguments: ["v0.8_param", "v0.9.3_attr", "v0.9.4_argmax", "v1.0_attr"])
    func upgradesAsMXNet(_ name: String) throws {
        let upgraded = try Fixtures.text("legacy/\(name)-upgraded.json")
        #expect(try read(Fixtures.text("legacy/\(name)-symbol.json")).json() == upgraded)
    }

    @Test func listsAreBrokenAboveTenElements() throws {
        let nodes = [data] + (0..<10).map { "{\"op\": \"relu\", \"name\": \"r\($0)\", \"inputs\": [[\($0), 0, 0]]}" }
        #expect(try read(file(Array(nodes.prefix(10)))).json().contains("\"node_row_ptr\": [\n"))
        #expect(
            try read(file(Array(nodes.prefix(9)))).json().contains("\"node_row_ptr\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"))
        let many = (0..<11).map { _ in Symbol.variable("x") }.map { _ in "[0, 0, 0]" }.joined(separator: ", ")
        let sum = "{\"op\": \"add_n\", \"name\": \"s\", \"attrs\": {\"num_args\": \"11\"}, \"inputs\": [\(many)]}"
        let text = try read(file([data, sum])).json()
        #expect(text.contains("      \"inputs\": [\n        [0, 0, 0], \n        [0, 0, 0]"))
        #expect(try read(text).json() == text)
    }

    @Test func textsAreEscaped() throws {
        let node = Node(operation: nil, name: "a\"b\\c\nd\te", attributes: ["__mood__": "ünï\r"])
        let text = try Symbol(node).json()
        #expect(text.contains(#""name": "a\"b\\c\nd\te""#))
        #expect(try read(text).nodes[0].name == node.name)
        #expect(try read(text).nodes[0].attributes == node.attributes)
    }

    @Test(arguments: [
        ("", "not JSON"), ("{", "not JSON"), ("hello", "not JSON"), ("[]", "not an MXNet symbol"),
        ("{}", "not an MXNet symbol"), ("3", "not"), (#"{"nodes": 3, "heads": []}"#, "not an MXNet symbol"),
        (#"{"nodes": [], "heads": []}"#, "heads"), (#"{"nodes": [], "heads": [[0, 0, 0]]}"#, "node 0"),
        (#"{"nodes": [3], "heads": [[0, 0, 0]]}"#, "node 0"),
        (#"{"nodes": [{"op": "null"}], "heads": [[0, 0, 0]]}"#, "node 0"),
    ]) func whatIsNoSymbol(_ text: String, _ expected: String) {
        let found = message { _ = try read(text) } ?? "read"
        #expect(found.contains(expected), "\(found)")
    }

    @Test func badNodesAreNamed() {
        let cases: [([String], String, [String])] = [
            (
                [data, #"{"op": "Mystery", "name": "m", "inputs": [[0, 0, 0]]}"#], "unknown operator",
                ["layer m", "Mystery"]
            ),
            ([data, #"{"op": "relu", "name": "r", "inputs": [[1, 0, 0]]}"#], "itself", ["node r", "node 1"]),
            (
                [#"{"op": "relu", "name": "r", "inputs": [[1, 0, 0]]}"#, data], "forward",
                ["node r", "does not come before"]
            ),
            ([data, #"{"op": "relu", "name": "r", "inputs": [[-1, 0, 0]]}"#], "negative", ["node r"]),
            ([data, #"{"op": "relu", "name": "r", "inputs": [["0", 0, 0]]}"#], "text", ["node r"]),
            ([data, #"{"op": "relu", "name": "r", "inputs": []}"#], "too few", ["layer r", "0 inputs"]),
            (
                [data, #"{"op": "relu", "name": "r", "inputs": [[0, 0, 0], [0, 0, 0]]}"#], "too many",
                ["layer r", "2 inputs"]
            ),
            ([data, #"{"op": "relu", "name": "r", "inputs": [[0, 1, 0]]}"#], "output of a variable", ["data"]),
            (
                [data, #"{"op": "Activation", "name": "a", "attrs": {"act_type": "rleu"}, "inputs": [[0, 0, 0]]}"#],
                "value", ["layer a", "act_type", "rleu"]
            ),
            (
                [data, #"{"op": "Activation", "name": "a", "attrs": {"act_tipe": "relu"}, "inputs": [[0, 0, 0]]}"#],
                "attribute", ["layer a"]
            ),
            (
                [data, #"{"op": "relu", "name": "r", "attrs": {"x": 3}, "inputs": [[0, 0, 0]]}"#], "number",
                ["node r", "x"]
            ),
            (
                [data, #"{"op": "relu", "name": "r", "attrs": [], "inputs": [[0, 0, 0]]}"#], "list",
                ["node r", "attrs"]
            ),
            (
                [data, data, #"{"op": "elemwise_add", "name": "s", "inputs": [[0, 0, 0], [1, 0, 0]]}"#],
                "duplicate", ["data", "twice"]
            ),
            (
                [data, #"{"op": "Concat", "name": "c", "attrs": {"num_args": "999999999"}, "inputs": [[0, 0, 0]]}"#],
                "hostile count", ["layer c", "num_args"]
            ),
        ]
        for (nodes, what, parts) in cases {
            let found = message { _ = try read(file(nodes)) } ?? "read"
            for part in parts { #expect(found.contains(part), "\(what): \(found)") }
        }
    }

    @Test func hostileHeadsAndNesting() {
        for heads in ["[[1, 0, 0]]", "[[0, 5, 0]]", "[3]", "[[0, 0, 0, 0]]", "{}", "[]"] {
            #expect(message { _ = try read(file([data], heads: heads)) } != nil, "\(heads)")
        }
        let deep = String(repeating: "[", count: 200_000)
        #expect(message { _ = try read(deep) } != nil)
    }

    @Test func everyTruncationIsRefused() throws {
        let text = try read(file([data, #"{"op": "relu", "name": "r", "inputs": [[0, 0, 0]]}"#])).json()
        for length in 0..<text.utf8.count {
            #expect(throws: AnnealError.self) { try Symbol(json: Data(text.utf8.prefix(length))) }
        }
    }

    @Test func missingFilesAreNamed() {
        #expect(message { _ = try Symbol.load("/nowhere/x-symbol.json") }?.contains("/nowhere/x-symbol.json") == true)
    }
}
