import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation
import Testing

/// Files written for TensorBoard and MLflow. `make check-exports` lets these read them back.
@Suite struct ExportTests {
    /// RFC 3720, appendix B.4, and the check value of the algorithm's catalogue.
    @Test func checksums() {
        #expect(CRC32C.checksum(Array(repeating: UInt8(0), count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum(Array(repeating: UInt8(0xFF), count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(Array(UInt8(0)..<32)) == 0x46DD_794E)
        #expect(CRC32C.checksum("123456789".utf8) == 0xE306_9283)
        // ((c >> 15) | (c << 17)) + 0xa282ead8, by hand: 0xc60d_2508 is 0x1c49 << 17 and 0x1_c60d >> …
        let sum: UInt64 = 0xE306_9283, turned = ((sum >> 15) | (sum << 17)) & 0xFFFF_FFFF
        #expect(UInt64(CRC32C.masked("123456789".utf8)) == (turned + 0xA282_EAD8) & 0xFFFF_FFFF)
    }

    private func record(_ file: String) throws -> [Data] {
        var rest = try Data(contentsOf: URL(fileURLWithPath: file)), records: [Data] = []
        while !rest.isEmpty {
            let length = Int(rest.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
            records.append(Data(rest.dropFirst(12).prefix(length)))
            rest = Data(rest.dropFirst(16 + length))
        }
        return records
    }

    /// Byte by byte according to TensorFlow's descriptions of its files.
    @Test func eventsByHand() throws {
        let folder = try TemporaryFolder()
        let file = try EventFile(inFolder: folder.path, clock: { 2 })
        try file.add([("a", .scalar(1))], step: 300)
        let names = try Files.names(in: folder.path)
        #expect(names.count == 1 && names[0].hasPrefix("events.out.tfevents.2."))
        let records = try record(folder.file(names[0]))
        // wall_time, a double of 2: field 1, 64 bits.
        let time: [UInt8] = [1 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0x40]
        #expect([UInt8](records[0]) == time + [3 << 3 | 2, 13] + Array("brain.Event:2".utf8))
        // tag, simple_value 1.0 as 32 bits.
        let value: [UInt8] = [1 << 3 | 2, 1, UInt8(ascii: "a"), 2 << 3 | 5, 0, 0, 0x80, 0x3F]
        #expect([UInt8](records[1]) == time + [2 << 3, 0xAC, 0x02, 5 << 3 | 2, 10, 1 << 3 | 2, 8] + value)
        // 0x0102030405060708 little-endian comes first.
        let frame = [UInt8](EventFile.frame(Data([7])))
        #expect(frame.count == 17 && Array(frame[..<8]) == [1, 0, 0, 0, 0, 0, 0, 0] && frame[12] == 7)
        let check = CRC32C.masked(frame[..<8])
        #expect(
            frame[8..<12].enumerated().allSatisfy {
                UInt8(truncatingIfNeeded: check >> (8 * UInt32($0.offset))) == $0.element
            })
    }

    @Test func aRunInMLflowsStore() throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.file("run"), occupied: .refuse)
        let record = RunRecord(
            command: "train", commandLine: ["anneal", "train"], arguments: ["lr": 0.1, "data-train": "a: 'b\n../c"],
            version: "v", threads: 1, workingFolder: "/",
            machine: Machine(host: "h", system: "s", processor: "p", cores: 1, memoryBytes: 1))
        func writer() -> MLflowWriter { MLflowWriter(store: temporary.file("ml"), folder: folder, record: record) }
        var store = writer()
        try store.receive(Sample.start(end: 3))
        for epoch in 0..<3 { try store.receive(.epoch(Sample.epoch(epoch))) }
        try store.receive(.finished(RunEnd(epochs: 3, seconds: 1, interrupted: true)))
        let experiment = try #require(try Files.names(in: temporary.file("ml")).first)
        let run = try #require(try Files.names(in: temporary.file("ml/\(experiment)")).first { $0.count == 32 })
        let path = "ml/\(experiment)/\(run)"
        #expect(try temporary.text("\(path)/params/lr") == "0.1")
        #expect(try temporary.text("\(path)/params/data-train") == "a: 'b\\u000a../c")
        #expect(try temporary.text("\(path)/meta.yaml").contains("status: 5\n"))
        // The same run continues after its first epoch.
        store = writer()
        try store.receive(Sample.start(first: 1, end: 3))
        let lines = try temporary.text("\(path)/metrics/validation_accuracy").split(separator: "\n")
        #expect(lines.count == 1 && lines[0].hasSuffix(" 0.5557 1"))
        try store.receive(.epoch(Sample.epoch(1, validation: [("accuracy", .nan)])))
        #expect(try temporary.text("\(path)/metrics/validation_accuracy").hasSuffix(" nan 2\n"))
        try store.receive(Sample.finished)
        #expect(try temporary.text("\(path)/meta.yaml").contains("status: 3\n"))
        #expect(try Files.names(in: temporary.file("ml/\(experiment)")).count == 2)
    }

    @Test func eventsAsLines() throws {
        let output = CollectedOutput(.log), lines = EventLines(output: output)
        for event in [
            Sample.start(), .warning("a\nb\u{1B}"), .epoch(Sample.epoch(0)), .saved(epoch: 1, path: "m"),
            Sample.finished,
        ] { try lines.receive(event) }
        let events = try output.text.split(separator: "\n").map {
            try JSONDecoder().decode([String: JSONValue].self, from: Data($0.utf8))
        }
        let names = events.map { $0["event"] }
        #expect(names == ["started", "warning", "epoch", "saved", "finished"])
        #expect(events[1]["text"] == "a\nb\u{1B}" && events[3]["checkpoint"] == 1)
    }

    @Test func charts() throws {
        let pdf = try CurvesWriter.chart(title: "x", epochs: Sample.run(5)).pdf()
        #expect(pdf.starts(with: Data("%PDF-".utf8)) && pdf.count > 1000)
    }
}
