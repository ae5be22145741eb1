import AnnealCompiler
import AnnealCore
import Synchronization

/// The accelerators of this machine, found through the installed plugins.
package enum Accelerators {
    /// Opens devices of one kind, which share each batch.
    /// - Parameters:
    ///   - kind: `cuda`, `rocm`, `tpu`, `xpu` or `xla-cpu`.
    ///   - indexes: from 0.
    ///   - shards: parts that each batch is split into; one per device if nil. Results depend on it, but not on the
    ///     number of devices.
    ///   - options: how they compute.
    ///   - group: the processes that share each batch.
    ///   - compression: compression of the gradients that they exchange.
    ///   - isShared: whether other processes on this host use other devices of the plugin, which this process must not
    ///     touch.
    ///   - report: called for each compilation.
    /// - Throws: `AnnealError`: no plugin, a plugin or driver that does not work, no such device, each with a
    ///   suggestion.
    package static func engine(
        _ kind: String, indexes: [Int], shards: Int? = nil, options: AcceleratorOptions = AcceleratorOptions(),
        group: (any ProcessGroup)? = nil, compression: GradientCompression = .none, isShared: Bool = false,
        search: PluginSearch = PluginSearch(), report: (@Sendable (CompilationReport) -> Void)? = nil
    ) throws -> XLAEngine {
        let visible = isShared && gpus.contains(kind) ? indexes.sorted() : nil
        let client = try client(kind, atLeast: (visible?.count ?? (indexes.max() ?? 0) + 1), visible: visible, search)
        // Of a plugin that shows some devices only, they are the first ones. One that was opened before shows all.
        let places =
            visible.flatMap { visible in
                client.devices.count == visible.count ? indexes.compactMap(visible.firstIndex) : nil
            } ?? indexes
        if let missing = places.indices.first(where: { !client.devices.indices.contains(places[$0]) }) {
            throw AnnealError(
                "device \(kind):\(indexes[missing])",
                "is not there: the plugin finds \(client.devices.count) (\(client.plugin.path))",
                suggestion: "'anneal devices' lists what there is", code: .notFound)
        }
        return XLAEngine(
            client, devices: places.map { client.devices[$0] }, shards: max(1, shards ?? indexes.count), name: kind,
            options: options, group: group, compression: compression, report: report)
    }

    /// The first device of a client, without a cache of compiled programs: for tests of plugins.
    package static func engine(_ client: PJRTClient) throws -> XLAEngine {
        guard let device = client.devices.first else {
            throw AnnealError("plugin \(client.plugin.path)", "has no devices", code: .notFound)
        }
        return XLAEngine(client, devices: [device], shards: 1, name: client.kind, cache: nil)
    }

    /// A device, or why a plugin's devices cannot be used.
    package struct Listing: Sendable {
        package var kind: String
        package var plugin: String
        package var version: String
        package var index: Int?
        package var model: String?
        package var memory: Int?
        package var problem: String?
    }

    /// Every plugin with its devices.
    package static func list(search: PluginSearch = PluginSearch()) -> [Listing] {
        search.all().flatMap { found -> [Listing] in
            do {
                let client = try clients.client(found.path, count: 1)
                let kind = client.kind
                return client.devices.map { device in
                    Listing(
                        kind: kind, plugin: found.path, version: client.versions, index: device.index,
                        model: device.kind,
                        memory: device.memory(client), problem: nil)
                }
            } catch {
                return [
                    Listing(
                        kind: found.kind ?? "unknown", plugin: found.path, version: "", index: nil, model: nil,
                        memory: nil, problem: "\(error)")
                ]
            }
        }
    }

    /// XLA's own devices on the processor, as many as are requested.
    package static let virtualKind = PJRTClient.virtualKind

    private static let gpus = ["cuda", "rocm", "xpu"]

    /// The kinds of GPU for which a plugin is installed.
    /// - Throws: what is wrong with the plugin named by `ANNEAL_PJRT_PLUGIN`, if there is no other.
    package static func gpuKinds(search: PluginSearch = PluginSearch()) throws -> [String] {
        var kinds: [String] = [], failure: (any Error)?
        for found in search.all() {
            do {
                let kind = try found.kind ?? clients.client(found.path, count: 1).kind
                if gpus.contains(kind), !kinds.contains(kind) { kinds.append(kind) }
            } catch { failure = failure ?? error }
        }
        if kinds.isEmpty, let failure { throw failure }
        return kinds
    }

    /// The command that installs a GPU's plugin.
    package static var gpuCommand: String { PluginSearch.command("cuda") ?? "make plugin" }

    private static func client(
        _ kind: String, atLeast count: Int, visible: [Int]?, _ search: PluginSearch
    ) throws -> PJRTClient {
        let place = "device \(kind)", found = search.all()
        var failure: (any Error)?
        for plugin in found where plugin.kind == nil || plugin.kind == kind {
            do {
                let client = try clients.client(plugin.path, count: count, visible: visible)
                if client.kind == kind { return client }
            } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
        let command = PluginSearch.command(kind)
        guard command != nil || PluginSearch.packages.contains(where: { $0.kind == kind }) else {
            let kinds = Set(PluginSearch.packages.map(\.kind)).sorted().joined(separator: ", ")
            throw AnnealError(
                place, "there is no such kind of device", suggestion: "there are cpu, \(kinds)", code: .unsupported)
        }
        throw AnnealError(
            place, "no plugin for it is installed",
            suggestion: command.map { "run '\($0)', or name its file in ANNEAL_PJRT_PLUGIN" }
                ?? "name the plugin's file in ANNEAL_PJRT_PLUGIN", code: .notFound)
    }

    private static let clients = ClientCache()
}

/// A process has one client per plugin until it ends: a second one would allocate the devices' memory twice.
private final class ClientCache: Sendable {
    private let known = Mutex<[String: PJRTClient]>([:])

    /// - Parameters:
    ///   - count: number of devices, for plugins that make as many as are requested.
    ///   - visible: the devices that a GPU plugin opens, at the first call; it allocates memory on each. nil: all.
    func client(_ path: String, count: Int, visible: [Int]? = nil) throws -> PJRTClient {
        try known.withLock { known in
            if let client = known[path], client.kind != PJRTClient.virtualKind || client.devices.count >= count {
                return client
            }
            let plugin = try PJRTPlugin(path: path)
            var client = try PJRTClient(
                plugin, options: visible.map { [.ints("visible_devices", $0.map(Int64.init))] } ?? [])
            // Threads depend on the number of virtual devices, and bits on threads: more are made only if needed.
            if client.kind == PJRTClient.virtualKind, client.devices.count < count {
                client = try PJRTClient(plugin, options: [.int("cpu_device_count", Int64(count))])
            }
            known[path] = client
            return client
        }
    }
}

extension PJRTClient {
    /// The kind of XLA's own CPU devices, for tests.
    static let virtualKind = "xla-cpu"

    /// As `--devices` names its devices.
    var kind: String { platform == "cpu" ? Self.virtualKind : platform == "gpu" ? "cuda" : platform }

    var versions: String { "PJRT \(plugin.version.major).\(plugin.version.minor), \(platformVersion)" }
}
