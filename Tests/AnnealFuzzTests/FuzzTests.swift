import AnnealCore
import Foundation
import Testing

/// A short run of `make fuzz`.
@Suite struct FuzzTests {
    @Test func noReaderFailsOnDamagedFiles() throws {
        let result = try run(["--count", "300", "--seed", "7"])
        #expect(result.status == 0, "\(result.output)")
        let rows = result.output.split(separator: "\n").dropFirst()
        #expect(rows.count >= 26 && rows.allSatisfy { $0.hasSuffix(" ok") }, "\(result.output)")
    }

    @Test(arguments: [
        ("crash", "ends the process by signal 6"), ("hang", "takes more than 1 s"), ("memory", "takes too much memory"),
        ("error", "says nothing to a user"),
    ]) func plantedDefectsAreFound(defect: String, words: String) throws {
        let result = try run(["--target", "planted-\(defect)", "--count", "8", "--jobs", "1"])
        #expect(result.status == 1)
        #expect(result.output.contains(words) && result.output.contains("repeat it:"), "\(result.output)")
    }

    private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let tests = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let candidates = [
            tests.appendingPathComponent("anneal-fuzz"), root.appendingPathComponent(".build/release/anneal-fuzz"),
        ]
        let tool = try #require(candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) })
        let folder = NSTemporaryDirectory() + "anneal-fuzz-tests-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let process = Process()
        process.executableURL = tool
        process.arguments = arguments + ["--failures", folder]
        process.currentDirectoryURL = root
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }
}
