import AnnealCPU
import AnnealCompiler
import AnnealCore
import Foundation

/// Where networks run: what `Trainer`, `Scorer`, `Classifier` and `Executor` take.
///
/// ```swift
/// let trainer = try Trainer(network, dataShape: [3, 28, 28], batchSize: 128, optimizer: optimizer, device: .cpu(threads: 4))
/// ```
public struct Device {
    package let engine: any Engine
    /// As `--devices` names it.
    public let name: String

    /// This machine's processor.
    /// - Parameter threads: that compute; those of the process if nil. They are the device's own: another device, or a task on
    ///   another thread, has others.
    /// - Throws: `AnnealError` for fewer than 1 thread.
    public static func cpu(threads: Int? = nil) throws -> Device {
        if let threads, threads < 1 {
            throw AnnealError("device cpu", "has \(threads) threads", suggestion: "give 1 or more")
        }
        return Device(engine: try CPUEngine(threads: threads), name: "cpu:0")
    }

    /// The devices of a list as `--devices` takes it: KIND, KIND:INDEX or KIND:FIRST-LAST, with commas.
    /// - Parameter threads: of all together; those of the process if nil.
    /// - Throws: `AnnealError` for what is no such list, for a kind that there is no engine for, and for more than one device.
    public init(named list: String, threads: Int? = nil) throws {
        let names = try DeviceName.list(list), place = "devices \(list)"
        if let other = names.first(where: { $0.kind != DeviceName.cpu }) {
            throw AnnealError(
                place, "there is no engine for \(other.kind) in this build",
                suggestion: "it has cpu; 'anneal devices' lists what there is", code: .unsupported)
        }
        guard names.count == 1 else {
            throw AnnealError(
                place, "are several, which cannot train together yet",
                suggestion: "cpu alone uses all cores", code: .unsupported)
        }
        guard names[0].index == 0 else {
            throw AnnealError(place, "there is no \(names[0])", suggestion: "the processor is cpu:0", code: .notFound)
        }
        self = try .cpu(threads: threads)
    }

    private init(engine: any Engine, name: String) {
        self.engine = engine
        self.name = name
    }
}

/// A device's kind and its number.
package struct DeviceName: Equatable, Sendable, CustomStringConvertible {
    static let cpu = "cpu"
    package let kind: String
    package let index: Int

    package var description: String { "\(kind):\(index)" }

    /// The names in a list: `cpu`, `cpu:0,cpu:1`, `cuda:0-3`.
    package static func list(_ text: String) throws -> [DeviceName] {
        func wrong(_ problem: String) -> AnnealError {
            AnnealError("devices '\(text)'", problem, suggestion: "give e.g. cpu, or a list such as cpu:0,cpu:1")
        }
        let names = try text.split(separator: ",", omittingEmptySubsequences: false).flatMap { item -> [DeviceName] in
            let parts = item.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let kind = parts[0].trimmingCharacters(in: .whitespaces).lowercased()
            guard !kind.isEmpty, kind.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }) else {
                throw wrong("names no kind of device")
            }
            guard parts.count == 2 else { return [DeviceName(kind: kind, index: 0)] }
            let ends = parts[1].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first >= 0,
                first <= last,
                last < 4096
            else { throw wrong("'\(item)' is not KIND:INDEX or KIND:FIRST-LAST") }
            return (first...last).map { DeviceName(kind: kind, index: $0) }
        }
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw wrong("names \(twice) twice")
        }
        return names
    }
}

/// What this machine has for training and scoring.
public struct DeviceReport: Sendable, Codable, Equatable {
    /// As `--devices` names it.
    public var name: String
    /// The processor's name, as the system says it.
    public var model: String
    /// Logical cores that this process may use.
    public var cores: Int
    /// Processors' time that a container may use; nil where nothing limits it.
    public var quota: Double?
    /// Threads that compute, unless `--threads` says otherwise.
    public var threads: Int
    /// The instruction set that the kernels use: portable, avx2 or avx512.
    public var instructions: String
    /// The library that computes what Anneal's own kernels do not, with its version, e.g. `oneDNN 2.6.3`.
    public var library: String
    /// Bytes of memory in the machine.
    public var memory: UInt64

    /// Every device of this machine.
    public static func all() -> [DeviceReport] {
        let process = ProcessInfo.processInfo, machine = CPUEngine.machine
        return [
            DeviceReport(
                name: "cpu:0", model: processorName() ?? "unknown processor", cores: process.activeProcessorCount,
                quota: ProcessorQuota.current(), threads: Parallel.threads, instructions: machine.kernels,
                library: machine.library ?? "none", memory: process.physicalMemory)
        ]
    }

    private static func processorName() -> String? {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") || $0.hasPrefix("Model") }
        return line?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
