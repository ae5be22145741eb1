import Foundation

/// Memory that is about to be taken, part by part, so that what cannot fit is refused before anything starts.
public struct MemoryNeed: Sendable {
    struct Part: Sendable {
        let name: String
        let bytes: Int
        /// The system has given its addresses already; its pages are not there before they are used.
        let isMapped: Bool
    }

    private(set) var parts: [Part] = []

    public init() {}

    /// Adds a part.
    /// - Parameter isMapped: it has been allocated, but not yet been used.
    public mutating func add(_ name: String, bytes: Int, isMapped: Bool = false) {
        if bytes > 0 { parts.append(Part(name: name, bytes: bytes, isMapped: isMapped)) }
    }

    public mutating func add(_ other: MemoryNeed) { parts += other.parts }

    /// The same parts, after they have been allocated.
    package var mapped: MemoryNeed {
        var need = MemoryNeed()
        for part in parts { need.add(part.name, bytes: part.bytes, isMapped: true) }
        return need
    }

    /// Bytes; sums that do not fit into a number are its largest value.
    public var bytes: Int { sum { _ in true } }

    private func sum(_ isCounted: (Part) -> Bool) -> Int {
        parts.reduce(0) { sum, part in
            guard isCounted(part) else { return sum }
            let (next, overflow) = sum.addingReportingOverflow(part.bytes)
            return overflow ? .max : next
        }
    }

    /// Checks the sum against the limits of the process, of its control groups and of the machine.
    /// - Throws: `AnnealError` with the sum, its parts and the limit that it is above.
    public func check(suggestion: String = MemoryNeed.suggestion) throws {
        try check(files: "", suggestion: suggestion)
    }

    /// - Parameter files: what stands before `/proc` and `/sys`; empty for the machine's own.
    package func check(files: String, suggestion: String = MemoryNeed.suggestion) throws {
        let limits = MemoryLimit.all(files: files)
        let unmapped = sum { !$0.isMapped }, all = bytes
        for limit in limits where (limit.countsAddresses ? unmapped : all) > limit.free {
            let list = parts.sorted { $0.bytes > $1.bytes }.map { "\($0.name) \(Self.megabytes($0.bytes))" }
            throw AnnealError(
                "memory",
                "\(Self.megabytes(all)) are needed (\(list.joined(separator: ", "))), and \(limit.name) leaves \(Self.megabytes(max(0, limit.free)))",
                suggestion: suggestion, code: .outOfMemory)
        }
    }

    public static let suggestion = "lower --batch-size or the image shape, give --recompute, or raise the limit"

    private static func megabytes(_ bytes: Int) -> String {
        let whole = String((bytes >> 20) + (bytes & 0xF_FFFF > 0 ? 1 : 0))
        // In groups of three digits.
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
    /// It counts addresses, used or not.
    let countsAddresses: Bool

    /// - Parameter files: what stands before `/proc` and `/sys`; empty for the machine's own.
    static func all(files: String) -> [MemoryLimit] {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        // Pages of the program: size, resident, shared, text, library, data.
        let used =
            text(files + "/proc/self/statm")?.split(separator: " ").compactMap { Int($0) }.map { $0 * page } ?? []
        guard used.count >= 6 else { return [] }
        // Stacks of threads, and what libraries take for themselves.
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
        add("the control group's limit", ControlGroup.memoryLimit(files: files), used: used[1])
        add("this machine's memory", machine(files), used: used[1])
        return limits
    }

    private static func resource(_ resource: __rlimit_resource) -> Int? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return nil }
        return limit.rlim_cur < UInt(Int.max) ? Int(limit.rlim_cur) : nil
    }

    /// `MemTotal:  16384256 kB`
    private static func machine(_ files: String) -> Int? {
        let line = text(files + "/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }
}

/// Linux' control groups, of both versions.
enum ControlGroup {
    /// Bytes: the least of the process's group and those above it; nil where nothing limits it.
    static func memoryLimit(files: String) -> Int? {
        let groups = text(files + "/proc/self/cgroup")?.split(separator: "\n") ?? []
        return groups.compactMap { line -> Int? in
            // ID:CONTROLLERS:PATH; the second version has no controllers.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            if parts[1].isEmpty { return least(parts[2], files + "/sys/fs/cgroup", "memory.max") }
            guard parts[1].split(separator: ",").contains("memory") else { return nil }
            return least(parts[2], files + "/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }.min()
    }

    /// Inside a container a group's path may be the host's, and the container's own group is the root. "max" is no limit,
    /// nor is the first version's number near 2^63.
    private static func least(_ group: Substring, _ root: String, _ file: String) -> Int? {
        let names = group.split(separator: "/")
        return (0...names.count).compactMap { depth -> Int? in
            let folder = root + names.prefix(depth).map { "/" + $0 }.joined()
            return text("\(folder)/\(file)").flatMap { Int($0.filter { !$0.isWhitespace }) }
        }.filter { $0 < 1 << 62 }.min()
    }
}

private func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
}

/// Memory of floats that throws where there is none, in place of ending the process. Zero at first; freed with `free`.
package func allocateFloats(_ count: Int, for purpose: String) throws -> UnsafeMutablePointer<Float> {
    guard let memory = calloc(max(1, count), MemoryLayout<Float>.size) else {
        throw AnnealError(
            "memory", "\((count * 4) >> 20) MB for \(purpose) cannot be allocated", suggestion: MemoryNeed.suggestion,
            code: .outOfMemory)
    }
    return memory.bindMemory(to: Float.self, capacity: max(1, count))
}
