import AnnealCore
import AnnealXLA
import Foundation
import Testing

@Suite struct PluginSearchTests {
    private let root = NSTemporaryDirectory() + "anneal-search-" + UUID().uuidString

    private func put(_ path: String) throws -> String {
        let full = root + "/" + path
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: full).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: full))
        return full
    }

    @Test func namedFilesThenTheFolderThenPackages() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let package = try put("env/lib/python3.12/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so")
        let made = try put("data/anneal/plugins/cuda13/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
        let old = try put("home/.local/lib/python3.9/dist-packages/libtpu/libtpu.so")
        _ = try put("env/lib/ruby/site-packages/libtpu/libtpu.so")
        let search = PluginSearch(environment: [
            "ANNEAL_PJRT_PLUGIN": "/somewhere/plugin.so", "VIRTUAL_ENV": root + "/env", "HOME": root + "/home",
            "XDG_DATA_HOME": root + "/data", "CONDA_PREFIX": "relative/conda",
        ])
        let found = search.all().filter { $0.path.hasPrefix(root) || $0.path == "/somewhere/plugin.so" }
        #expect(found.map(\.path) == ["/somewhere/plugin.so", made, package, old])
        #expect(found.map(\.kind) == [nil, "cuda", "cuda", "tpu"])
    }

    @Test func whatIsMissingComesWithTheCommandThatInstallsIt() {
        let nothing = PluginSearch(environment: ["HOME": root, "VIRTUAL_ENV": root])
        guard nothing.all().isEmpty else { return }
        let error = #expect(throws: AnnealError.self) { try Accelerators.engine("cuda", indexes: [0], search: nothing) }
        #expect(error?.suggestion?.contains("make plugin NAME=cuda12") == true && error?.code == .notFound)
        let unknown = #expect(throws: AnnealError.self) {
            try Accelerators.engine("abacus", indexes: [0], search: nothing)
        }
        #expect(unknown?.problem.contains("no such kind") == true)
    }

    @Test func kindsOfGPUAreThoseOfPlugins() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        func kinds(_ more: [String: String] = [:]) throws -> [String] {
            let own = ["HOME": root, "VIRTUAL_ENV": root + "/env"]
            return try Accelerators.gpuKinds(search: PluginSearch(environment: own.merging(more) { $1 }))
        }
        let system = try Accelerators.gpuKinds(search: PluginSearch(environment: [:]))
        _ = try put("env/lib/python3.12/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so")
        _ = try put("env/lib/python3.12/site-packages/libtpu/libtpu.so")
        #expect(try kinds().filter { !system.contains($0) || $0 == "cuda" } == ["cuda"])
        _ = try put(".local/lib/python3.12/site-packages/jax_plugins/xla_rocm7/xla_rocm_plugin.so")
        #expect(try Set(kinds()).isSuperset(of: ["cuda", "rocm"]))
    }

    @Test func aNamedPluginThatCannotBeLoadedIsTheReason() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let search = PluginSearch(environment: ["ANNEAL_PJRT_PLUGIN": try put("plugin.so")])
        guard search.all().count == 1 else { return }
        let error = #expect(throws: AnnealError.self) { try Accelerators.gpuKinds(search: search) }
        #expect(error?.place.hasSuffix("plugin.so") == true && error?.problem.contains("cannot be loaded") == true)
    }
}
