import AnnealGraph
import Testing

@Suite struct AttributeReaderTests {
    private func reader(_ text: String) -> AttributeReader { AttributeReader(operation: "Test", ["key": text]) }

    @Test(arguments: [
        ("(3, 3)", [3, 3]), ("[3,3]", [3, 3]), ("(3L, 3L)", [3, 3]), ("(2,)", [2]), ("7", [7]), ("(-1, 0)", [-1, 0]),
        ("( 1 ,2 )", [1, 2]),
    ]) func tuples(_ text: String, _ expected: [Int]) throws {
        var reader = reader(text)
        #expect(try reader.tuple("key") == expected)
    }

    @Test(arguments: ["()", "None", "[]"]) func emptyTuples(_ text: String) throws {
        var reader = reader(text)
        #expect(try reader.tuple("key") == nil)
    }

    @Test func tuplesWithNone() throws {
        var reader = reader("(None, 4)")
        #expect(try reader.optionalTuple("key") == [nil, 4])
    }

    @Test(arguments: ["(3", "3)", "(a, b)", "(1.5,)", "[1, 2)", "(9999999999999999999,)"])
    func badTuples(_ text: String) {
        var reader = reader(text)
        #expect(throws: (any Error).self) { try reader.tuple("key") }
    }

    @Test(arguments: [("True", true), ("1", true), ("true", true), ("False", false), ("0", false), ("None", true)])
    func bools(_ text: String, _ expected: Bool) throws {
        var reader = reader(text)
        #expect(try reader.bool("key", default: true) == expected)
    }

    @Test(arguments: ["yes", "", "2"]) func badBools(_ text: String) {
        var reader = reader(text)
        #expect(throws: (any Error).self) { try reader.bool("key", default: true) }
    }

    @Test(arguments: [("5", 5), ("-2", -2), ("7L", 7), ("None", 9)]) func ints(_ text: String, _ expected: Int) throws {
        var reader = reader(text)
        #expect(try reader.int("key", default: 9) == expected)
    }

    @Test(arguments: ["5.0", "x", "1e3", "1099511627776"]) func badInts(_ text: String) {
        var reader = reader(text)
        #expect(throws: (any Error).self) { try reader.int("key") }
    }

    @Test(arguments: [("2e-05", Float(2e-5)), ("0.9", 0.9), ("1", 1), ("-.5", -0.5)])
    func floats(_ text: String, _ expected: Float) throws {
        var reader = reader(text)
        #expect(try reader.float("key") == expected)
    }

    @Test func unknownAttributesAreRefusedByName() {
        let reader = AttributeReader(operation: "Pooling", ["kernle": "(2, 2)"])
        #expect(message { try reader.finish() }?.contains("kernle") == true)
    }

    @Test func annotationsAreLeftToOthers() throws {
        try AttributeReader(operation: "Test", ["__mood__": "fine", "lr_mult": "2", "ctx_group": "dev1"]).finish()
    }

    @Test(arguments: [
        (0.9, "0.9"), (2e-5, "2e-05"), (1e-10, "1e-10"), (1, "1.0"), (1e-10 + 1e-5, "1.0000100000000001e-05"),
        (0.001, "0.001"),
        (1e16, "1e+16"), (-0.5, "-0.5"),
    ]) func floatsAsPythonPrintsThem(_ value: Double, _ text: String) { #expect(AttributeText.float(value) == text) }

    @Test func tuplesAsPythonPrintsThem() {
        #expect(AttributeText.tuple([3, 3]) == "(3, 3)")
        #expect(AttributeText.tuple([2]) == "(2,)")
    }
}
