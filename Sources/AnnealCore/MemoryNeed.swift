import Foundation

/// Adds up memory that is about to be allocated, so that a run that cannot fit is refused before it starts.
///
/// Large consumers say how much they need (`memoryNeed` of `Trainer`, `Scorer`, `BatchLoader`) and check their own part
/// before they allocate; whoever assembles a run adds up the parts and checks the sum before the first step.
public struct MemoryNeed: Sendable {
    struct Part: Sendable {
        let name: String
        let bytes: Int
        /// Its address space is already allocated, but its pages are not used yet.
        let isMapped: Bool
    }

    private(set) var parts: [Part] = []

    public init() {}

    /// Adds a part.
    /// - Parameter isMapped: it has been allocated, but not used yet.
    public mutating func add(_ name: String, bytes: Int, isMapped: Bool = false) {
        if bytes > 0 { parts.append(Part(name: name, bytes: bytes, isMapped: isMapped)) }
    }

    /// Adds all parts of another need.
    public mutating func add(_ other: MemoryNeed) { parts += other.parts }

    /// The same parts, after they have been allocated.
    package var mapped: MemoryNeed {
        var need = MemoryNeed()
        for part in parts { need.add(part.name, bytes: part.bytes, isMapped: true) }
        return need
    }

    /// Bytes; a sum that overflows saturates.
    public var bytes: Int { sum { _ in true } }

    private func sum(_ isCounted: (Part) -> Bool) -> Int {
        parts.reduce(0) { sum, part in
            guard isCounted(part) else { return sum }
            let (next, overflow) = sum.addingReportingOverflow(part.bytes)
            return overflow ? .max : next
        }
    }

    /// Checks the sum against the limits of the process, of its control groups and of the machine.
    /// - Throws: `AnnealError` with the sum, its parts and the limit that it exceeds.
    public func check(suggestion: String = MemoryNeed.suggestion) throws {
        try check(files: "", suggestion: suggestion)
    }

    /// - Parameter files: a prefix for `/proc` and `/sys`; empty for the machine's own.
    package func check(files: String, suggestion: String = MemoryNeed.suggestion) throws {
        let limits = MemoryLimit.all(files: files)
        let unmapped = sum { !$0.isMapped }, all = bytes
        for limit in limits where (limit.countsAddresses ? unmapped : all) > limit.free {
            throw AnnealError(
                "memory",
                "\(Self.megabytes(all)) are needed (\(largest)), and \(limit.name) leaves \(Self.megabytes(max(0, limit.free)))",
                suggestion: suggestion, code: .outOfMemory)
        }
    }

    /// `the plan of the network 300 MB, decoded images 20 MB`: the four largest; parts of the same name are added up.
    private var largest: String {
        let sums = Dictionary(parts.map { ($0.name, $0.bytes) }) {
            let (sum, overflow) = $0.addingReportingOverflow($1)
            return overflow ? .max : sum
        }
        let ordered = sums.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return ordered.prefix(4).map { "\($0.key) \(Self.megabytes($0.value))" }.joined(separator: ", ")
    }

    /// The suggestion of errors about a lack of memory.
    public static let suggestion =
        "lower --batch-size or the image shape, give --recompute, or raise the limit"

    private static func megabytes(_ bytes: Int) -> String {
        let whole = String((bytes >> 20) + (bytes & 0xF_FFFF > 0 ? 1 : 0))
        // With the digits in groups of three.
        let grouped = whole.enumerated().map { index, digit in
            index > 0 && (whole.count - index) % 3 == 0 ? ",\(digit)" : "\(digit)"
        }
        return "\(grouped.joined()) MB"
    }
}

/// What is left of a limit on the process's memory.
struct MemoryLimit {
    let name: String
    /// Bytes.
    let free: Int
    /// It limits addresses, used or not.
    let countsAddresses: Bool

    /// - Parameter files: a prefix for `/proc` and `/sys`; empty for the machine's own.
    static func all(files: String) -> [MemoryLimit] {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        // In pages: size, resident, shared, text, library, data.
        let used =
            text(files + "/proc/self/statm")?.split(separator: " ").compactMap { Int($0) }.map { $0 * page } ?? []
        guard used.count >= 6 else { return [] }
        // For thread stacks and what libraries allocate themselves.
        let reserve = (64 << 20) + 2 * Parallel.threads * (8 << 20)
        var limits: [MemoryLimit] = []
        func add(_ name: String, _ limit: Int?, used: Int, countsAddresses: Bool = false) {
            guard let limit else { return }
            limits.append(
                MemoryLimit(
                    name: "\(name) of \(limit >> 20) MB", free: limit - used - (countsAddresses ? reserve : 0),
                    countsAddresses: countsAddresses))
        }
        add("the limit on addresses (ulimit -v)", resource(RLIMIT_AS), used: used[0], countsAddresses: true)
        add("the limit on data (ulimit -d)", resource(RLIMIT_DATA), used: used[5], countsAddresses: true)
        let machine = MachineMemory(files: files)
        add("the control group's limit", ControlGroup.memoryLimit(files: files, swap: machine.freeSwap), used: used[1])
        if let total = machine.total, let free = machine.free {
            add("this machine's memory", total, used: total - free)
        }
        if let committable = machine.committable {
            add(
                "the memory that this system commits (vm.overcommit_memory is 2)", committable.limit,
                used: committable.used, countsAddresses: true)
        }
        return limits
    }

    private static func resource(_ resource: __rlimit_resource) -> Int? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return nil }
        return limit.rlim_cur < UInt(Int.max) ? Int(limit.rlim_cur) : nil
    }

}

/// The numbers of `/proc/meminfo`, in bytes.
private struct MachineMemory {
    /// Including swap.
    let total: Int?
    /// Memory that programs can still get: unused memory and caches; nil before Linux 3.14.
    let free: Int?
    let freeSwap: Int
    /// The limit on committed memory and how much is committed, if the system does not overcommit.
    let committable: (limit: Int, used: Int)?

    init(files: String) {
        // `MemTotal:  16384256 kB`
        let lines = text(files + "/proc/meminfo")?.split(separator: "\n") ?? []
        func bytes(_ name: String) -> Int? {
            lines.first { $0.hasPrefix(name + ":") }?.split(separator: " ").dropFirst().first
                .flatMap { Int($0) }.map { $0 << 10 }
        }
        freeSwap = bytes("SwapFree") ?? 0
        total = bytes("MemTotal").map { $0 + (bytes("SwapTotal") ?? 0) }
        free = bytes("MemAvailable").map { [freeSwap] in $0 + freeSwap }
        let isStrict = text(files + "/proc/sys/vm/overcommit_memory")?.first == "2"
        if isStrict, let limit = bytes("CommitLimit"), let used = bytes("Committed_AS") {
            committable = (limit, used)
        } else {
            committable = nil
        }
    }
}

/// Linux' control groups, of both versions.
enum ControlGroup {
    /// Bytes, including swap: the smallest limit of the process's group and its ancestors; nil without a limit.
    /// - Parameter swap: free swap in bytes.
    static func memoryLimit(files: String, swap: Int) -> Int? {
        let groups = text(files + "/proc/self/cgroup")?.split(separator: "\n") ?? []
        return groups.compactMap { line -> Int? in
            // ID:CONTROLLERS:PATH; version 2 has no controllers.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            if parts[1].isEmpty {
                return least(parts[2], files + "/sys/fs/cgroup") { read in
                    read("memory.max").map { $0 + min(swap, read("memory.swap.max") ?? swap) }
                }
            }
            guard parts[1].split(separator: ",").contains("memory") else { return nil }
            return least(parts[2], files + "/sys/fs/cgroup/memory") { read in
                read("memory.limit_in_bytes").map { min($0 + swap, read("memory.memsw.limit_in_bytes") ?? .max) }
            }
        }.min()
    }

    /// Inside a container a group's path may be the host's, with the container's own group as the root. "max" means no
    /// limit, and so does version 1's number near 2^63.
    /// - Parameter limit: computes one group's limit from the numbers in its files.
    private static func least(
        _ group: Substring, _ root: String, _ limit: (_ read: (String) -> Int?) -> Int?
    ) -> Int? {
        let names = group.split(separator: "/")
        return (0...names.count).compactMap { depth -> Int? in
            let folder = root + names.prefix(depth).map { "/" + $0 }.joined()
            return limit { file in
                text("\(folder)/\(file)").flatMap { Int($0.filter { !$0.isWhitespace }) }.flatMap {
                    $0 < 1 << 62 ? $0 : nil
                }
            }
        }.min()
    }
}

private func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
}

/// Allocates zeroed floats, and throws instead of ending the process if there is not enough memory. Release with
/// `free`.
package func allocateFloats(_ count: Int, for purpose: String) throws -> UnsafeMutablePointer<Float> {
    guard let memory = calloc(max(1, count), MemoryLayout<Float>.size) else {
        throw AnnealError(
            "memory", "\((count * 4) >> 20) MB for \(purpose) cannot be allocated", suggestion: MemoryNeed.suggestion,
            code: .outOfMemory)
    }
    return memory.bindMemory(to: Float.self, capacity: max(1, count))
}
