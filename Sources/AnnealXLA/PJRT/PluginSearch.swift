import AnnealCore
import Foundation

/// Where plugins are searched: the file that `ANNEAL_PJRT_PLUGIN` names, the folder that `make plugin` fills, then the
/// packages of Python environments. Python itself is not run, and the working folder is never searched.
package struct PluginSearch: Sendable {
    /// A plugin's file, not loaded yet.
    package struct Found: Sendable, Equatable {
        /// As `--devices` names its devices: `cuda`, `rocm`, `tpu`, `xpu` or `xla-cpu`; nil if it is only known after
        /// loading.
        package let kind: String?
        package let path: String
        /// Where it was found, for messages.
        package let source: String
    }

    /// File names in packages, by the kind of device.
    static let packages: [(kind: String, file: String)] = [
        ("cuda", "jax_plugins/xla_cuda13/xla_cuda_plugin.so"),
        ("cuda", "jax_plugins/xla_cuda12/xla_cuda_plugin.so"),
        ("rocm", "jax_plugins/xla_rocm7/xla_rocm_plugin.so"),
        ("xpu", "jax_plugins/intel_oneapi/pjrt_plugin_oneapi.so"),
        ("tpu", "libtpu/libtpu.so"),
        ("xla-cpu", "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"),
    ]

    /// The command that installs a kind's plugin.
    package static func command(_ kind: String) -> String? {
        switch kind {
        case "cuda": "make plugin NAME=cuda12 (or cuda13, for drivers from 580 on)"
        case "rocm": "make plugin NAME=rocm"
        case "xla-cpu": "make plugin NAME=cpu"
        default: nil
        }
    }

    private let environment: [String: String]

    package init(environment: [String: String] = ProcessInfo.processInfo.environment) { self.environment = environment }

    /// The folder that `make plugin` unpacks packages into.
    package var folder: String? {
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return data + "/anneal/plugins" }
        return environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 + "/.local/share/anneal/plugins" : nil }
    }

    /// Every plugin, in order of preference.
    package func all() -> [Found] {
        var found: [Found] = []
        if let path = environment["ANNEAL_PJRT_PLUGIN"], !path.isEmpty {
            found.append(Found(kind: nil, path: path, source: "ANNEAL_PJRT_PLUGIN"))
        }
        for (place, source) in places() {
            for package in Self.packages {
                let path = place + "/" + package.file
                if FileManager.default.fileExists(atPath: path), !found.contains(where: { $0.path == path }) {
                    found.append(Found(kind: package.kind, path: path, source: source))
                }
            }
        }
        return found
    }

    /// Folders that contain packages.
    private func places() -> [(path: String, source: String)] {
        var places: [(String, String)] = []
        if let folder {
            for name in contents(folder) { places.append((folder + "/" + name, "make plugin")) }
        }
        let roots = [
            environment["VIRTUAL_ENV"], environment["CONDA_PREFIX"], environment["HOME"].map { $0 + "/.local" },
            "/usr/local", "/usr",
        ].compactMap { $0 }.filter { $0.hasPrefix("/") }
        for root in roots {
            for python in contents(root + "/lib") where python.hasPrefix("python3") {
                for packages in ["site-packages", "dist-packages"] {
                    places.append(("\(root)/lib/\(python)/\(packages)", "\(root)/lib/\(python)"))
                }
            }
        }
        return places
    }

    private func contents(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
}
