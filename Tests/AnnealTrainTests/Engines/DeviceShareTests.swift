import Anneal
import AnnealXLA
import Foundation
import Testing

/// The processes on a host divide its accelerators.
@Suite struct DeviceShareTests {
    private func names(_ list: String, rank: Int, size: Int, _ environment: [String: String] = [:]) throws -> String {
        try DeviceShare(rank: rank, size: size).devices(of: DeviceName.list(list), environment: environment)
            .map(\.description).joined(separator: ",")
    }

    @Test func eachProcessTakesItsPart() throws {
        #expect(try names("cuda:0-3", rank: 2, size: 4) == "cuda:2")
        #expect(try names("cuda:4,cuda:1,cuda:2,cuda:0", rank: 1, size: 2) == "cuda:2,cuda:0")
        #expect(try names("cuda:0-3", rank: 0, size: 1) == "cuda:0,cuda:1,cuda:2,cuda:3")
        // Each process has its own parts of a processor.
        #expect(try names("cpu:0-1", rank: 1, size: 2) == "cpu:0,cpu:1")
        #expect(try names("xla-cpu:0", rank: 1, size: 2) == "xla-cpu:0")
        #expect(try names("xla-cpu:0-1", rank: 1, size: 2) == "xla-cpu:1")
        // If each process sees one GPU, that one is its own.
        #expect(try names("cuda:0", rank: 1, size: 2, ["CUDA_VISIBLE_DEVICES": "1"]) == "cuda:0")
    }

    @Test func whatDoesNotDivideIsRefused() {
        for list in ["cuda:0", "cuda:0-2"] {
            let error = #expect(throws: AnnealError.self) { try names(list, rank: 0, size: 2) }
            #expect(error?.problem.contains("do not divide among the 2 processes of this host") == true)
            #expect(error?.suggestion?.contains("--devices cuda:0-1") == true)
        }
    }

    @Test func launchersTellThePlaceOnTheHost() {
        #expect(DeviceShare([:]) == nil)
        let mpirun = ["OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"]
        #expect(DeviceShare(mpirun) == DeviceShare(rank: 1, size: 4))
        func slurm(_ tasks: String, node: Int) -> DeviceShare? {
            DeviceShare(["SLURM_LOCALID": "0", "SLURM_NODEID": "\(node)", "SLURM_STEP_TASKS_PER_NODE": tasks])
        }
        #expect(slurm("2(x3),1", node: 2) == DeviceShare(rank: 0, size: 2))
        #expect(slurm("2(x3),1", node: 3) == DeviceShare(rank: 0, size: 1))
        #expect(slurm("2(x3),1", node: 4) == nil)
        #expect(slurm("(x", node: 0) == nil)
    }

    /// If there are several kinds, an error asks which one `--gpus` means.
    @Test func gpusOfSeveralKindsAreAsked() throws {
        let root = NSTemporaryDirectory() + "anneal-kinds-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: root) }
        for file in ["xla_cuda12/xla_cuda_plugin.so", "xla_rocm7/xla_rocm_plugin.so"] {
            let path = URL(fileURLWithPath: "\(root)/lib/python3.12/site-packages/jax_plugins/\(file)")
            try FileManager.default.createDirectory(
                at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data().write(to: path)
        }
        let search = PluginSearch(environment: ["VIRTUAL_ENV": root])
        let error = #expect(throws: AnnealError.self) { try Device.list(gpus: "0, 1", search: search) }
        #expect(error?.problem.contains("several kinds: cuda, rocm") == true)
        #expect(error?.suggestion?.contains("--devices cuda:0,cuda:1 or --devices rocm:0,rocm:1") == true)
        let text = #expect(throws: AnnealError.self) { try Device.list(gpus: "0,a", search: search) }
        #expect(text?.problem == "is no list of numbers")
    }
}
