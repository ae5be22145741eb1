import Foundation

/// The CPU time that a container may use (`docker run --cpus 2`), from Linux control groups. With more threads than
/// that, all of them are paused together for a part of each period, even those that others wait for.
public enum ProcessorQuota {
    /// In processors, e.g. 1.5: the smallest quota of the process's group and its ancestors, in either version of
    /// control groups. Nil without a limit.
    public static func current() -> Double? { quota(files: "") }

    /// - Parameter files: a prefix for `/proc` and `/sys`; empty for the machine's own.
    package static func quota(files: String) -> Double? {
        guard let groups = text(files + "/proc/self/cgroup") else { return nil }
        return groups.split(separator: "\n").compactMap { line -> Double? in
            // ID:CONTROLLERS:PATH; version 2 has no controllers.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            let group = String(parts[2])
            if parts[1].isEmpty {
                return least(of: group, below: files + "/sys/fs/cgroup") { folder in
                    text(folder + "/cpu.max").flatMap(numbers)
                }
            }
            guard parts[1].split(separator: ",").contains("cpu") else { return nil }
            return least(of: group, below: files + "/sys/fs/cgroup/cpu") { folder in
                guard let quota = text(folder + "/cpu.cfs_quota_us"), let period = text(folder + "/cpu.cfs_period_us")
                else { return nil }
                return numbers("\(quota) \(period)")
            }
        }.min()
    }

    /// Over a group and its ancestors. Inside a container a group's path may be the host's, with the container's own
    /// group as the root.
    private static func least(of group: String, below root: String, _ quota: (String) -> Double?) -> Double? {
        let names = group.split(separator: "/")
        return (0...names.count).compactMap { quota(root + names.prefix($0).map { "/" + $0 }.joined()) }.min()
    }

    /// Microseconds of CPU time in each period; "max" and -1 mean no limit.
    private static func numbers(_ text: String) -> Double? {
        let numbers = text.split(whereSeparator: \.isWhitespace).map { Double($0) ?? -1 }
        guard numbers.count == 2, numbers[0] > 0, numbers[1] > 0 else { return nil }
        return numbers[0] / numbers[1]
    }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
