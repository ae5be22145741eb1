import AnnealCompiler
import AnnealCore
import AnnealGraph
import CPJRT

/// An accelerator: programs are written in StableHLO, and a PJRT plugin compiles and runs them.
///
/// Each part of a step is one executable: parameters and states are donated to it, and rates and counters are inputs,
/// so that nothing is recompiled between steps. Work is submitted asynchronously and runs while the host prepares the
/// next batch.
///
/// A batch is split into any number of shards, which the devices share. A shard's passes are an executable that is
/// independent of the other shards; gradients are then exchanged and summed in an order that only the number of shards
/// determines, so that any number of devices gives the same bits. Every device has all parameters.
package final class XLAEngine: Engine {
    package let name: String
    package var machine: RunMachine {
        let shards = shards > 1 ? ", \(shards) shards" : "", tf32 = options.usesTF32 ? ", TF32" : ""
        // The bits then depend on the number of devices.
        let exchange = reducesTogether ? ", all-reduce of \(devices.count)" : ""
        return RunMachine(
            kernels: "\(name) (\(devices[0].kind)\(shards)\(exchange)\(tf32))", library: client.versions)
    }
    package var reproducesMXNetDefects = false
    let client: PJRTClient
    let devices: [PJRTDevice]
    /// Parts that each batch is split into, over all processes.
    let shards: Int
    package let group: (any ProcessGroup)?
    /// Compression of gradients between processes.
    let compression: GradientCompression
    let options: AcceleratorOptions
    let compileOptions: CompileOptions
    private let cache: ExecutableCache?
    private let report: (@Sendable (CompilationReport) -> Void)?

    init(
        _ client: PJRTClient, devices: [PJRTDevice], shards: Int, name: String,
        options given: AcceleratorOptions = AcceleratorOptions(), group: (any ProcessGroup)? = nil,
        compression: GradientCompression = .none,
        cache: ExecutableCache? = ExecutableCache(), report: (@Sendable (CompilationReport) -> Void)? = nil
    ) {
        self.options = given
        self.cache = cache
        self.report = report
        self.group = group
        self.compression = compression
        self.client = client
        self.devices = devices
        self.shards = shards
        self.name = name
        compileOptions = given.compileOptions(platform: client.platform)
    }

    /// Peak bytes in use on a device; nil if the plugin does not report it.
    package var peakMemory: Int? { devices.compactMap { $0.peakMemory(client) }.max() }

    /// Whether devices sum gradients together, by one of the plugin's collectives.
    var reducesTogether: Bool { options.exchange == .allReduce && devices.count > 1 }

    /// The shards of this process.
    var ownShards: Range<Int> {
        Shards.range(of: group?.rank ?? 0, workers: group?.size ?? 1, count: shards)
    }

    package func rows(of batch: Int) -> Range<Int> {
        guard group != nil else { return 0..<batch }
        let shards = Shards(batch: batch, most: shards)
        return shards.rows(of: shards.own(group))
    }

    package func gather(
        _ own: UnsafeBufferPointer<Float>, batch: Int, into all: UnsafeMutableBufferPointer<Float>
    ) throws {
        try Shards(batch: batch, most: shards).gather(own, group, into: all)
    }

    package func supports(_ type: any Operator.Type) -> Bool { type is any XLAOperator.Type }

    package func plan(_ request: PlanRequest, store: ParameterStore) throws -> any ExecutablePlan {
        try XLAPlan(request, store: store, engine: self)
    }

    // MARK: Arrays

    func upload(_ elements: [Float], _ dims: [Int], to device: Int) throws -> PJRTBuffer {
        try elements.withUnsafeBytes { try upload($0, .f32, dims, to: device) }
    }

    func upload(_ bytes: UnsafeRawBufferPointer, _ type: HLOType, _ dims: [Int], to device: Int) throws -> PJRTBuffer {
        try client.upload(bytes, type: type.code, dims: dims, to: devices[device], copies: true).buffer
    }

    /// Starts copying an array to a device.
    /// - Parameter bytes: must stay unchanged until the event.
    func startUpload(_ bytes: UnsafeRawBufferPointer, _ type: HLOType, _ dims: [Int], to device: Int) throws -> (
        buffer: PJRTBuffer, event: PJRTEvent
    ) {
        try client.upload(bytes, type: type.code, dims: dims, to: devices[device], copies: false)
    }

    /// Compiles a program, or loads what was compiled before.
    /// - Parameters:
    ///   - name: for messages.
    ///   - isTogether: whether all devices run it together.
    func compile(_ module: String, _ name: String, isTogether: Bool = false) throws -> PJRTExecutable {
        var compileOptions = compileOptions
        if isTogether { compileOptions.replicas = devices.map(\.id) }
        let start = ContinuousClock.now
        let device = "\(self.name):" + devices.map { "\($0.index)" }.joined(separator: ",")
        func seconds() -> String {
            let time = (ContinuousClock.now - start).components
            return "\(Double(time.seconds * 10 + time.attoseconds / 100_000_000_000_000_000) / 10) s"
        }
        let key = ExecutableCache.key([
            module, devices[0].kind, client.versions, client.plugin.path, client.plugin.stamp, compileOptions.text,
        ])
        do {
            if let bytes = try cache?.read(key) {
                let executable = try client.load(bytes)
                report?(.ended("Loaded the compiled \(name) for \(device) in \(seconds())"))
                return executable
            }
        } catch {
            // Whatever is wrong with the file, the program can be compiled.
            report?(.remark("\(error)"))
        }
        report?(.began("Compiling the \(name) for \(device)"))
        let executable: PJRTExecutable
        do {
            executable = try client.compile(module, options: compileOptions)
        } catch {
            report?(.ended("Could not compile the \(name) for \(device)"))
            throw error
        }
        report?(.ended("Compiled the \(name) for \(device) in \(seconds())"))
        do {
            if let cache { try cache.write(executable.serialized(), key) }
        } catch {
            report?(.remark("The compiled \(name) is not kept: \(error)"))
        }
        return executable
    }

    func run(_ executable: PJRTExecutable, _ inputs: [PJRTBuffer], outputs: Int, on device: Int) throws -> (
        outputs: [PJRTBuffer], event: PJRTEvent
    ) {
        try executable.run(inputs, outputs: outputs, on: devices[device])
    }

    /// Runs what was compiled for all devices together.
    /// - Parameter inputs: for each device.
    func runTogether(_ executable: PJRTExecutable, _ inputs: [[PJRTBuffer]], outputs: Int) throws -> [(
        outputs: [PJRTBuffer], event: PJRTEvent
    )] {
        try executable.run(inputs, outputs: outputs)
    }

    func download(_ buffer: PJRTBuffer, _ count: Int) throws -> [Float] {
        var elements = [Float](repeating: 0, count: count)
        try elements.withUnsafeMutableBytes { try buffer.download(to: $0).wait() }
        return elements
    }
}

extension HLOType {
    /// Its number in the PJRT interface.
    var code: PJRT_ElementType {
        switch self {
        case .f32: PJRT_F32
        case .bf16: PJRT_BF16
        case .f16: PJRT_F16
        case .i1: PJRT_PRED
        case .i32: PJRT_S32
        case .ui8: PJRT_U8
        case .ui32: PJRT_U32
        case .ui64: PJRT_U64
        }
    }
}

/// How accelerators compute.
package struct AcceleratorOptions: Sendable, Equatable {
    /// Whether products of float32 numbers may be rounded to TF32, which has a 10-bit mantissa.
    package var usesTF32 = false
    /// Whether every run gives the same bits; otherwise faster operations that add in any order are allowed.
    package var isDeterministic = true
    package var exchange = GradientExchange.tree

    package init(
        usesTF32: Bool = false, isDeterministic: Bool = true, exchange: GradientExchange = .tree
    ) {
        self.usesTF32 = usesTF32
        self.isDeterministic = isDeterministic
        self.exchange = exchange
    }

    /// The compiler options for them.
    package func compileOptions(platform: String) -> CompileOptions {
        switch platform {
        case "cuda", "rocm", "gpu":
            CompileOptions(flags: isDeterministic ? [("xla_gpu_exclude_nondeterministic_ops", true)] : [])
        // Its fast maximum loses NaN.
        case "cpu": CompileOptions(flags: [("xla_cpu_enable_fast_min_max", false)])
        default: CompileOptions()
        }
    }
}
