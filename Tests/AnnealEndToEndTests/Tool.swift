import Anneal
import AnnealCLI
import Foundation

/// The built command-line tool, run as a user runs it.
struct Tool {
    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    let folder: String

    /// A fresh folder that the commands run in.
    init() throws {
        folder = NSTemporaryDirectory() + "anneal-tests-" + UUID().uuidString
        try Files.makeFolder(folder)
    }

    func path(_ name: String) -> String { folder + "/" + name }
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }
    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    /// The tool is next to the tests' own executable.
    static func executable() throws -> String {
        let tests = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let candidates = [tests.appendingPathComponent("anneal"), root.appendingPathComponent(".build/release/anneal")]
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
            throw AnnealError("anneal", "is not built next to the tests", suggestion: "swift build")
        }
        return found.path
    }

    /// A process that handles SIGINT as in a terminal: its children would inherit it if a background runner ignores the
    /// signal.
    static func process() -> Process {
        signal(SIGINT, SIG_DFL)
        return Process()
    }

    func start(_ arguments: [String], input: Data? = nil, environment: [String: String] = [:]) throws -> (
        process: Process, output: Pipe, errors: Pipe
    ) {
        let process = Tool.process()
        process.executableURL = URL(fileURLWithPath: try Tool.executable())
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        let output = Pipe(), errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        let file = path("standard-input")
        if let input { try input.write(to: URL(fileURLWithPath: file)) }
        process.standardInput = input == nil ? FileHandle.nullDevice : FileHandle(forReadingAtPath: file)
        try process.run()
        return (process, output, errors)
    }

    func run(_ arguments: [String], input: Data? = nil, environment: [String: String] = [:]) throws -> Result {
        let (process, output, errors) = try start(arguments, input: input, environment: environment)
        // Both at once: a process blocks when one of its pipes is full.
        let drained = DrainedPipe(errors)
        let out = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: String(decoding: out, as: UTF8.self),
            errors: String(decoding: drained.wait(), as: UTF8.self))
    }

    /// The tool's answers that need no separate process: help, and errors in arguments.
    static func answer(_ arguments: [String], columns: Int = 80) -> Result {
        let end = ToolEnd.of(arguments, width: columns)
        return Result(status: end.status, output: end.output, errors: end.errors.isEmpty ? "" : end.errors + "\n")
    }

    /// Runs a script of the shell in the folder; `$anneal` is the tool.
    func shell(_ script: String, environment: [String: String] = [:]) throws -> Result {
        let process = Tool.process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script]
        process.environment = ProcessInfo.processInfo.environment
            .merging(["anneal": try Tool.executable()]) { $1 }.merging(environment) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: String(decoding: text, as: UTF8.self), errors: "")
    }

    /// Gray 12x12 images of three classes that differ in which part is bright, so that a small network can learn them.
    func writeRecords(_ name: String, count: Int, labels: Int = 3) throws {
        let writer = try RecordWriter(path("\(name).rec"), index: path("\(name).idx"))
        for index in 0..<count {
            try writer.write(
                IRHeader(label: Float(index % labels), id: UInt64(index)).packed(try png(index, labels: labels)))
        }
        try writer.finish()
    }

    /// The same images as files in one sub-folder per class; some classes may be omitted.
    func writeFolder(_ name: String, count: Int, classes: [String], without: Set<String> = []) throws {
        for index in 0..<count {
            let folder = "\(path(name))/\(classes[index % classes.count])"
            guard !without.contains(Files.name(of: folder)) else { continue }
            try Files.makeFolder(folder)
            try Files.writeAtomically(
                Data(try png(index, labels: classes.count)), to: "\(folder)/\(String(format: "%04d", index)).png")
        }
    }

    private func png(_ index: Int, labels: Int) throws -> [UInt8] {
        var random = Random(seed: 7, purpose: .test, index: index)
        let bright = index % labels % 3
        let pixels = (0..<144).map { place in UInt8(random.below(120) + (place / 12 / 4 == bright ? 120 : 0)) }
        return try Image(width: 12, height: 12, channels: 1, pixels: pixels).encoded(as: .png(level: 6))
    }

    /// Flags of a small training run.
    func training(_ epochs: Int, prefix: String, _ more: [String] = []) -> [String] {
        [
            "train", "--network", "mlp", "--image-shape", "1,12,12", "--num-classes", "3", "--data-train", "train.rec",
            "--data-val", "val.rec", "--rgb-mean", "100", "--rgb-std", "60", "--pad-size", "1", "--random-crop", "1",
            "--random-mirror", "1", "--batch-size", "32", "--num-epochs", "\(epochs)", "--lr", "0.05",
            "--lr-step-epochs",
            "2,3", "--lr-factor", "0.5", "--model-prefix", prefix,
        ] + more
    }
}

/// A pipe that a separate thread reads to the end.
final class DrainedPipe: @unchecked Sendable {
    private var data = Data()
    private let done = DispatchSemaphore(value: 0)

    init(_ pipe: Pipe) {
        Thread.detachNewThread { [self] in
            data = pipe.fileHandleForReading.readDataToEndOfFile()
            done.signal()
        }
    }

    /// Call once.
    func wait() -> Data {
        done.wait()
        return data
    }
}
