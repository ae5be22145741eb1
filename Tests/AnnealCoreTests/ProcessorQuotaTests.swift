import Foundation
import Testing

import AnnealCore

@Suite struct ProcessorQuotaTests {
    private func quota(_ files: [String: String]) throws -> Double? {
        let root = NSTemporaryDirectory() + "anneal-quota-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (path, text) in files {
            try Files.makeFolder(Files.folder(of: root + path))
            try Files.writeAtomically(Data(text.utf8), to: root + path)
        }
        return ProcessorQuota.quota(files: root)
    }

    @Test func secondVersion() throws {
        let inContainer = ["/proc/self/cgroup": "0::/\n"]
        #expect(try quota(inContainer) == nil)
        #expect(try quota(inContainer.merging(["/sys/fs/cgroup/cpu.max": "max 100000\n"]) { $1 }) == nil)
        #expect(try quota(inContainer.merging(["/sys/fs/cgroup/cpu.max": "150000 100000\n"]) { $1 }) == 1.5)
        #expect(try quota(inContainer.merging(["/sys/fs/cgroup/cpu.max": "what 0\n"]) { $1 }) == nil)
    }

    /// A group may use no more than its ancestors.
    @Test func leastOfTheGroupsAbove() throws {
        let groups = [
            "/proc/self/cgroup": "0::/user.slice/training.scope\n",
            "/sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
        ]
        #expect(try quota(groups) == 3)
        let own = "/sys/fs/cgroup/user.slice/training.scope/cpu.max"
        #expect(try quota(groups.merging([own: "50000 25000\n"]) { $1 }) == 2)
        #expect(try quota(groups.merging([own: "800000 100000\n"]) { $1 }) == 3)
    }

    /// The path is the host's, which the container does not see; its own group is the root.
    @Test func firstVersion() throws {
        var files = [
            "/proc/self/cgroup": "9:memory:/docker/1f\n5:cpu,cpuacct:/docker/1f\n0::/\n",
            "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        ]
        #expect(try quota(files) == nil)
        files["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "250000\n"
        #expect(try quota(files) == 2.5)
    }

    @Test func noGroups() throws { #expect(try quota([:]) == nil) }
}
