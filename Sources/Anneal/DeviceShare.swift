import AnnealCore
import AnnealXLA
import Foundation

/// The processes of a job on one host, which divide the accelerators of a list among them.
package struct DeviceShare: Equatable, Sendable {
    /// This process's place among them.
    package let rank: Int
    package let size: Int

    package init(rank: Int, size: Int) { (self.rank, self.size) = (rank, size) }

    /// The devices of this process. Parts of a processor are each process's own, as are XLA's virtual devices where one is
    /// named for all.
    package func devices(of names: [DeviceName], environment: [String: String] = ProcessInfo.processInfo.environment)
        throws -> [DeviceName]
    {
        guard size > 1, let kind = names.first?.kind, kind != DeviceName.cpu else { return names }
        let isOwn = kind == Accelerators.virtualKind || Self.limits.contains { environment[$0]?.isEmpty == false }
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
