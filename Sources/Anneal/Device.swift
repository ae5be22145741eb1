import AnnealCPU
import AnnealCompiler
import AnnealCore
import AnnealXLA
import Foundation

/// Where networks run: what `Trainer`, `Scorer`, `Classifier` and `Executor` take.
///
/// ```swift
/// let trainer = try Trainer(network, dataShape: [3, 28, 28], batchSize: 128, optimizer: optimizer, device: .cpu(threads: 4))
/// let onGPU = try Trainer(network, dataShape: [3, 28, 28], batchSize: 128, optimizer: optimizer, device: Device(named: "cuda:0"))
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

    /// An engine of another package. The article "How a network becomes a plan" says what it must do.
    public init(_ engine: any Engine) { self.init(engine: engine, name: engine.name) }

    /// The devices of a list as `--devices` takes it: KIND, KIND:INDEX or KIND:FIRST-LAST, with commas. Kinds other than `cpu`
    /// are accelerators, whose PJRT plugin is loaded (`DeviceReport.all` says what there is). Several train together: each
    /// batch is cut into shards, and the results depend on their number, not on that of the devices. `cpu:0,cpu:1` are two
    /// halves of the processor.
    /// - Parameters:
    ///   - threads: of a processor, all its devices together; those of the process if nil.
    ///   - shards: parts that each batch is cut into, at least one for each device; one for each if nil.
    ///   - tf32: whether accelerators may round the factors of float32 products to TF32, 10 bits after the point.
    ///   - deterministic: false lets accelerators use operations that do not give the same bits in every run.
    ///   - exchange: how accelerators that share a batch add up their gradients.
    ///   - report: hears of each compilation for an accelerator.
    /// - Throws: `AnnealError` for what is no such list, for a kind whose plugin or driver is not there, and for several
    ///   kinds.
    public init(
        named list: String, threads: Int? = nil, shards: Int? = nil, tf32: Bool = false, deterministic: Bool = true,
        exchange: GradientExchange = .tree, report: (@Sendable (CompilationReport) -> Void)? = nil
    ) throws {
        try self.init(
            named: list, threads: threads, shards: shards, tf32: tf32, deterministic: deterministic, exchange: exchange,
            group: nil, share: nil, report: report)
    }

    /// - Parameters:
    ///   - group: the processes that train together.
    ///   - share: those of them on this host, which divide a list of accelerators; nil: this one takes all.
    ///   - bucketBytes: gradients travel between them when there are so many bytes of them.
    ///   - compression: of gradients.
    package init(
        named list: String, threads: Int? = nil, shards: Int? = nil, tf32: Bool = false, deterministic: Bool = true,
        exchange: GradientExchange = .tree, group: (any ProcessGroup)?, share: DeviceShare?,
        bucketBytes: Int = ShardedEngine.defaultBucketBytes, compression: GradientCompression = .none,
        report: (@Sendable (CompilationReport) -> Void)? = nil
    ) throws {
        let names = try share?.devices(of: DeviceName.list(list)) ?? DeviceName.list(list), place = "devices \(list)"
        let kind = names[0].kind, indexes = names.map(\.index)
        guard names.allSatisfy({ $0.kind == kind }) else {
            throw AnnealError(
                place, "are of several kinds", suggestion: "name devices of one kind", code: .unsupported)
        }
        guard kind != DeviceName.cpu else {
            self.init(
                engine: try Self.processor(
                    indexes.count, threads: threads, shards: shards, group, bucketBytes, compression),
                name: names.map(\.description).joined(separator: ","))
            return
        }
        if case .twoBit = compression {
            throw AnnealError(
                place, "2-bit compression is not available on accelerators",
                suggestion: "leave out --gc-type 2bit, or use bfloat16", code: .unsupported)
        }
        let processes = group?.size ?? 1, shards = shards ?? names.count * processes
        try Shards.check(shards, devices: names.count, processes: processes)
        if exchange == .allReduce {
            guard processes == 1 else {
                throw AnnealError(
                    "--exchange all-reduce",
                    "is for the devices of one process; processes exchange through their hosts",
                    suggestion: "leave it out", code: .unsupported)
            }
            guard shards % names.count == 0 else {
                throw AnnealError(
                    "--shards \(shards)",
                    "is not a multiple of the \(names.count) devices, as --exchange all-reduce requires",
                    suggestion: "give \(names.count) or a multiple of it")
            }
        }
        self.init(
            engine: try Accelerators.engine(
                kind, indexes: indexes, shards: shards,
                options: AcceleratorOptions(usesTF32: tf32, isDeterministic: deterministic, exchange: exchange),
                group: group, compression: compression, isShared: share.map { $0.size > 1 } ?? false, report: report),
            name: names.map(\.description).joined(separator: ","))
    }

    /// Some equal parts of this machine's processor, with a shard for each.
    /// - Parameter threads: of each.
    package static func parts(_ count: Int, threads: Int) throws -> Device {
        let devices = try (0..<count).map { _ in try CPUEngine(threads: threads) }
        return Device(try ShardedEngine(devices, pool: threads, shards: count))
    }

    /// Some equal parts of this machine's processor.
    private static func processor(
        _ count: Int, threads: Int?, shards: Int?, _ group: (any ProcessGroup)?, _ bucketBytes: Int,
        _ compression: GradientCompression
    ) throws -> any Engine {
        let all = threads ?? Parallel.threads, each = max(1, all / count)
        let shards = shards ?? count * (group?.size ?? 1)
        guard shards > 0 else { throw AnnealError("--shards \(shards)", "are none", suggestion: "give 1 or more") }
        guard count > 1 || shards > 1 || group != nil || compression != .none else {
            return try Device.cpu(threads: threads).engine
        }
        let devices = try (0..<count).map { _ in try CPUEngine(threads: each) }
        return try ShardedEngine(
            devices, pool: each, shards: shards, group: group, bucketBytes: bucketBytes, compression: compression)
    }

    /// MXNet's `--gpus`: devices of the only kind of GPU that there is a plugin for, by their numbers.
    /// - Parameters:
    ///   - numbers: e.g. `0,1,2,3`.
    ///   - shards: as in `init(named:)`, as all that follow.
    /// - Throws: as `init(named:)`; also if there are plugins for several kinds of GPU, or none.
    public init(
        gpus numbers: String, shards: Int? = nil, tf32: Bool = false, deterministic: Bool = true,
        exchange: GradientExchange = .tree, report: (@Sendable (CompilationReport) -> Void)? = nil
    ) throws {
        try self.init(
            named: Self.list(gpus: numbers), shards: shards, tf32: tf32, deterministic: deterministic,
            exchange: exchange, report: report)
    }

    /// What `--devices` says for a list of GPUs.
    package static func list(gpus numbers: String, search: PluginSearch = PluginSearch()) throws -> String {
        let place = "--gpus \(numbers)", list = numbers.split(separator: ",", omittingEmptySubsequences: false)
        guard list.allSatisfy({ Int($0.trimmingCharacters(in: .whitespaces)).map { $0 >= 0 } ?? false }) else {
            throw AnnealError(place, "is no list of numbers", suggestion: "give e.g. 0")
        }
        let kinds = try Accelerators.gpuKinds(search: search)
        func names(_ kind: String) -> String {
            list.map { "\(kind):\($0.trimmingCharacters(in: .whitespaces))" }.joined(separator: ",")
        }
        guard let kind = kinds.first, kinds.count == 1 else {
            throw AnnealError(
                place,
                kinds.isEmpty
                    ? "no plugin for GPUs is installed"
                    : "there are plugins for several kinds: \(kinds.joined(separator: ", "))",
                suggestion: kinds.isEmpty
                    ? "run '\(Accelerators.gpuCommand)'; without --gpus all \(Parallel.threads) CPU cores are used"
                    : "name the kind: \(kinds.map { "--devices \(names($0))" }.joined(separator: " or "))",
                code: .notFound)
        }
        return names(kind)
    }

    /// The command that installs what a kind of device needs.
    public static func installing(_ kind: String) -> String {
        PluginSearch.command(kind) ?? "name the plugin's file in ANNEAL_PJRT_PLUGIN"
    }

    /// The most bytes that an accelerator had in use at once; nil for processors, and where a plugin does not say.
    package var peakMemory: Int? { (engine as? XLAEngine)?.peakMemory }

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

/// A device of this machine, or a plugin whose devices cannot be used.
public struct DeviceReport: Sendable, Codable, Equatable {
    /// As `--devices` names it.
    public var name: String
    /// The processor's or accelerator's name, as the system or the plugin says it.
    public var model: String
    /// Logical cores that this process may use; nil for accelerators, as the next three.
    public var cores: Int?
    /// Processors' time that a container may use; nil where nothing limits it.
    public var quota: Double?
    /// Threads that compute, unless `--threads` says otherwise.
    public var threads: Int?
    /// The instruction set that the kernels use: portable, avx2 or avx512.
    public var instructions: String?
    /// The library that computes what Anneal's own kernels do not, with its version, e.g. `oneDNN 2.6.3`.
    public var library: String?
    /// Bytes of memory; nil where a plugin does not say.
    public var memory: UInt64?
    /// An accelerator's plugin: its file and version.
    public var plugin: String?
    /// What keeps the plugin's devices from being used.
    public var problem: String?

    /// Every device of this machine, the processor first. Plugins are loaded for it.
    public static func all() -> [DeviceReport] {
        let process = ProcessInfo.processInfo, machine = CPUEngine.machine
        var devices = [
            DeviceReport(
                name: "cpu:0", model: processorName() ?? "unknown processor", cores: process.activeProcessorCount,
                quota: ProcessorQuota.current(), threads: Parallel.threads, instructions: machine.kernels,
                library: machine.library,
                memory: process.physicalMemory)
        ]
        for listing in Accelerators.list() {
            devices.append(
                DeviceReport(
                    name: listing.index.map { "\(listing.kind):\($0)" } ?? listing.kind, model: listing.model ?? "none",
                    memory: listing.memory.map(UInt64.init),
                    plugin: listing.version.isEmpty ? listing.plugin : "\(listing.plugin) (\(listing.version))",
                    problem: listing.problem))
        }
        return devices
    }

    /// The kinds of GPU that this machine has, as its device files say, whether or not there is a plugin for them.
    public static func visibleGPUs() -> [String] {
        let files = [("cuda", "/dev/nvidia0"), ("rocm", "/dev/kfd")]
        return files.filter { FileManager.default.fileExists(atPath: $0.1) }.map(\.0)
    }

    private static func processorName() -> String? {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") || $0.hasPrefix("Model") }
        return line?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
