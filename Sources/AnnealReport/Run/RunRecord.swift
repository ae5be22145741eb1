import AnnealCore
import Foundation

/// How a run was started, as stored in `arguments.json`: enough to run it again.
public struct RunRecord: Codable, Sendable, Equatable {
    /// The command, e.g. `fine-tune`.
    public var command: String
    /// The arguments as typed, the program's name first.
    public var commandLine: [String]
    /// Every option with its effective value, defaults included, e.g. `"batch-size": 128`.
    public var arguments: [String: JSONValue]
    public var version: String
    public var threads: Int
    /// When it started.
    public var date: Date
    public var workingFolder: String
    public var machine: Machine
    /// Fingerprints of the data, as `training` and `validation`; nil in the records of earlier versions.
    public var data: [String: DataFingerprint]?

    public init(
        command: String, commandLine: [String], arguments: [String: JSONValue], version: String, threads: Int,
        date: Date = Date(), workingFolder: String = Files.workingFolder,
        machine: Machine = .current(), data: [String: DataFingerprint]? = nil
    ) {
        self.command = command
        self.commandLine = commandLine
        self.arguments = arguments
        self.version = version
        self.threads = threads
        self.date = date
        self.workingFolder = workingFolder
        self.machine = machine
        self.data = data
    }

    enum CodingKeys: String, CodingKey {
        case command, arguments, version, threads, date, machine, data
        case commandLine = "command_line"
        case workingFolder = "working_folder"
    }

    /// Indented, with sorted keys: two runs' files can be compared line by line.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        // An option may be infinite (e.g. no clipping), which JSON cannot represent.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        var data = try encoder.encode(self)
        data.append(UInt8(ascii: "\n"))
        return data
    }

    /// Reads an `arguments.json`.
    public static func read(_ path: String) throws -> RunRecord {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        let data = try Files.read(path)
        do {
            return try decoder.decode(RunRecord.self, from: data)
        } catch {
            throw AnnealError(
                path, "is not the record of a run, or damaged",
                suggestion: "restore it; without it the run cannot be resumed", code: .damaged)
        }
    }
}

/// The machine that a run ran on.
public struct Machine: Codable, Sendable, Equatable {
    public var host: String
    public var system: String
    public var processor: String
    public var cores: Int
    public var memoryBytes: UInt64

    public init(host: String, system: String, processor: String, cores: Int, memoryBytes: UInt64) {
        self.host = host
        self.system = system
        self.processor = processor
        self.cores = cores
        self.memoryBytes = memoryBytes
    }

    enum CodingKeys: String, CodingKey {
        case host, system, processor, cores
        case memoryBytes = "memory_bytes"
    }

    /// This machine; unknown properties are `unknown`.
    public static func current() -> Machine {
        let process = ProcessInfo.processInfo
        return Machine(
            host: process.hostName, system: process.operatingSystemVersionString,
            processor: value(of: "model name", in: "/proc/cpuinfo") ?? "unknown",
            cores: process.activeProcessorCount, memoryBytes: process.physicalMemory)
    }

    /// The first `key : value` of a text file.
    private static func value(of key: String, in path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(key) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return nil
    }
}
