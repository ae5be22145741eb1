import AnnealCore
import AnnealGraph
import Foundation
import Testing

@Suite struct ParamsFileTests {
    private func array(_ name: String, _ dtype: StoredArray.DType, _ shape: Shape, _ seed: UInt8 = 1) -> StoredArray {
        let count = shape.count * dtype.size
        return StoredArray(
            name: name, dtype: dtype, shape: shape,
            bytes: Data((0..<count).map { UInt8(truncatingIfNeeded: $0) &* 7 &+ seed }))
    }

    private let all: [StoredArray.DType] = [
        .float32, .float64, .float16, .uint8, .int32, .int8, .int64, .bool, .int16, .bfloat16,
    ]

    @Test func everyTypeRoundTrips() throws {
        let arrays = all.enumerated().map { array("arg:a\($0)", $1, [2, $0 + 1], UInt8($0)) }
        #expect(try ParamsFile.decode(ParamsFile.encode(arrays)) == arrays)
    }

    @Test func withoutNamesAndEmpty() throws {
        let arrays = [array("", .float32, [3]), StoredArray(name: "", dtype: .float32, shape: [0], bytes: Data())]
        #expect(try ParamsFile.decode(ParamsFile.encode(arrays)) == arrays)
        #expect(try ParamsFile.decode(ParamsFile.encode([])) == [])
    }

    @Test func scalarsAreWrittenAsOneValue() throws {
        let scalar = StoredArray(name: "s", Tensor([], [2.5]))
        #expect(try ParamsFile.decode(ParamsFile.encode([scalar]))[0].shape == [1])
    }

    /// Written by hand from MXNet's layout: magic, 0, one array V2 (1 axis of 2, CPU 0, float32), one name.
    @Test func bytesAsMXNetWritesThem() {
        let expected: [UInt8] =
            [0x12, 1, 0, 0, 0, 0, 0, 0] + zeros(8) + [1] + zeros(7)
            + [0xC9, 0xFA, 0x93, 0xF9] + zeros(4) + [1, 0, 0, 0, 2] + zeros(7) + [1, 0, 0, 0] + zeros(8)
            + [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0] + [1] + zeros(7) + [5] + zeros(7) + Array("arg:w".utf8)
        #expect(Array(ParamsFile.encode([StoredArray(name: "arg:w", Tensor([2], [1, -2]))])) == expected)
    }

    @Test func conversionsToFloat32() {
        func values(_ dtype: StoredArray.DType, _ bytes: [UInt8]) -> [Float] {
            StoredArray(name: "", dtype: dtype, shape: [bytes.count / dtype.size], bytes: Data(bytes)).tensor().elements
        }
        #expect(values(.float16, [0, 0x3C, 0, 0xC0, 1, 0, 0, 0x7C]) == [1, -2, 0x1p-24, .infinity])
        #expect(values(.bfloat16, [0x80, 0x3F, 0x00, 0xC0]) == [1, -2])
        #expect(values(.uint8, [0, 255]) == [0, 255])
        #expect(values(.int8, [0, 255]) == [0, -1])
        #expect(values(.bool, [0, 1]) == [0, 1])
        #expect(values(.int16, [0xFE, 0xFF]) == [-2])
        #expect(values(.int32, [0xFD, 0xFF, 0xFF, 0xFF]) == [-3])
        #expect(values(.int64, [5, 0, 0, 0, 0, 0, 0, 0]) == [5])
        #expect(values(.float64, [0, 0, 0, 0, 0, 0, 0xF8, 0x3F]) == [1.5])
    }

    @Test func everyTruncationIsAnError() {
        let whole = ParamsFile.encode(all.enumerated().map { array("arg:array\($0)", $1, [2, 2]) })
        for length in 0..<whole.count {
            #expect(throws: AnnealError.self, "cut at \(length)") { try ParamsFile.decode(whole.prefix(length)) }
        }
    }

    /// Every byte of a small file set to every kind of invalid value: read or refused, never a crash.
    @Test func everyDamagedByte() {
        let whole = ParamsFile.encode([array("arg:w", .float32, [2, 2]), array("aux:m", .uint8, [3])])
        for index in whole.indices {
            for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                var damaged = whole
                damaged[index] = value
                for read in (try? ParamsFile.decode(damaged)) ?? [] { #expect(read.tensor().count == read.shape.count) }
            }
        }
    }

    @Test func hostileLengths() {
        func list(_ count: [UInt8], _ rest: [UInt8]) -> Data { Data([0x12, 1] + zeros(14) + count + rest) }
        let one: [UInt8] = [1] + zeros(7), all = Array(repeating: UInt8(0xFF), count: 8)
        let v2: [UInt8] = [0xC9, 0xFA, 0x93, 0xF9, 0, 0, 0, 0]
        let cases: [(String, Data)] = [
            ("arrays", list(all, [])),
            ("axes", list(one, v2 + [0xFF, 0xFF, 0xFF, 0x7F] + zeros(64))),
            ("negative axes", list(one, v2 + [0xFF, 0xFF, 0xFF, 0xFF] + zeros(64))),
            ("extent", list(one, v2 + [1, 0, 0, 0] + Array(all.dropLast()) + [0x7F] + zeros(64))),
            ("negative extent", list(one, v2 + [1, 0, 0, 0] + all + zeros(64))),
            (
                "overflowing product",
                list(one, v2 + [2, 0, 0, 0] + zeros(4) + [0, 0, 0, 0x40] + zeros(4) + [0, 0, 0, 0x40] + zeros(64))
            ),
            ("type", list(one, v2 + [1, 0, 0, 0] + one + zeros(8) + [99, 0, 0, 0] + zeros(64))),
            ("name", list(zeros(8), one + all)),
            ("magic", Data([0x13, 1] + zeros(30))),
            ("nothing", Data()),
        ]
        for (what, data) in cases {
            #expect(throws: AnnealError.self, "\(what)") { try ParamsFile.decode(data) }
        }
    }

    @Test func sparseArraysAreRefusedByName() {
        for (kind, name) in [(UInt8(1), "row_sparse"), (2, "csr")] {
            let data = Data([0x12, 1] + zeros(14) + [1] + zeros(7) + [0xC9, 0xFA, 0x93, 0xF9, kind] + zeros(64))
            #expect(message { _ = try ParamsFile.decode(data) }?.contains(name) == true)
        }
    }

    @Test func missingFilesAreNamed() {
        #expect(message { _ = try ParamsFile.read("/nowhere/x.params") }?.contains("/nowhere/x.params") == true)
    }
}

private func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }
