import AnnealCore
import AnnealXLA
import Foundation

/// The processes of a job on one host, which divide the accelerators of a list among them.
package struct DeviceShare: Equatable, Sendable {
    /// This process's place among them.
    package let rank: Int
    package let size: Int

    package init(rank: Int, size: Int) { (self.rank, self.size) = (rank, size) }

    /// What mpirun or srun has told this process; nil without either.
    package init?(_ environment: [String: String]) {
        func number(_ name: String) -> Int? { environment[name].flatMap(Int.init) }
        if let rank = number("OMPI_COMM_WORLD_LOCAL_RANK"), let size = number("OMPI_COMM_WORLD_LOCAL_SIZE") {
            self.init(rank: rank, size: size)
            return
        }
        // Slurm counts the tasks of its nodes, e.g. 2(x3),1.
        guard let rank = number("SLURM_LOCALID"), let node = number("SLURM_NODEID"),
            let text = environment["SLURM_STEP_TASKS_PER_NODE"] ?? environment["SLURM_TASKS_PER_NODE"]
        else { return nil }
        let tasks = text.split(separator: ",").flatMap { item -> [Int] in
            let parts = item.split { "(x)".contains($0) }.compactMap { Int($0) }
            let times = parts.count == 2 ? parts[1] : 1
            guard let count = parts.first, (0..<65_536).contains(times) else { return [] }
            return Array(repeating: count, count: times)
        }
        guard tasks.indices.contains(node), rank < tasks[node] else { return nil }
        self.init(rank: rank, size: tasks[node])
    }

    /// The devices of this process. Parts of a processor are each process's own, as are XLA's virtual devices where one is
    /// named for all.
    package func devices(of names: [DeviceName], environment: [String: String] = ProcessInfo.processInfo.environment)
        throws -> [DeviceName]
    {
        guard size > 1, let kind = names.first?.kind, kind != DeviceName.cpu else { return names }
        // A list of several GPUs, as Slurm sets it, is what all processes of the host see.
        let showsOne = Self.limits.contains { environment[$0].map { !$0.isEmpty && !$0.contains(",") } ?? false }
        let isOwn = kind == Accelerators.virtualKind || showsOne
        if names.count == 1, isOwn { return names }
        guard names.count % size == 0 else {
            let list = "\(kind):0-\(size - 1)"
            throw AnnealError(
                "devices \(names.map(\.description).joined(separator: ","))",
                "do not divide among the \(size) processes of this host",
                suggestion: "name \(size) devices, e.g. --devices \(list), or start \(names.count) processes here",
                code: .mismatch)
        }
        let each = names.count / size
        return Array(names[(rank * each)..<((rank + 1) * each)])
    }

    /// Variables that show a process some of the machine's GPUs.
    private static let limits = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"]
}
