import Anneal
import Foundation

/// A host of a job, and how many processes it can run.
struct JobHost: Equatable {
    var name: String
    /// The ssh port; nil: ssh's default.
    var port: Int?
    /// The maximum number of processes; nil: no limit.
    var slots: Int?
}

/// Hosts by line: `host`, MXNet's `host:port`, or Open MPI's `host slots=N`. `#` begins a comment.
enum HostsFile {
    /// - Throws: `AnnealError` that names the file and the line.
    static func read(_ path: String) throws -> [JobHost] {
        let text = String(decoding: try Files.read(path), as: UTF8.self)
        var hosts: [JobHost] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let first = words.first else { continue }
            let host = try host(first, words.dropFirst(), place: "\(path), line \(index + 1)")
            if let twice = hosts.firstIndex(where: { $0.name == host.name }) {
                throw AnnealError(
                    "\(path), line \(index + 1)", "\(host.name) is listed twice (first: host \(twice + 1))",
                    suggestion: "write it once, with slots=N for several processes")
            }
            hosts.append(host)
        }
        guard !hosts.isEmpty else {
            throw AnnealError(
                path, "names no host", suggestion: "write one host per line, e.g. 10.0.0.1 or node1 slots=2")
        }
        return hosts
    }

    private static func host(_ word: Substring, _ rest: ArraySlice<Substring>, place: String) throws -> JobHost {
        let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var host = JobHost(name: String(parts[0]))
        // ssh would take a name that begins with a minus for a flag.
        guard !host.name.isEmpty, !host.name.hasPrefix("-") else {
            throw AnnealError(place, "'\(word)' is not a host", suggestion: "write a name or an address")
        }
        if parts.count == 2 {
            guard let port = Int(parts[1]), (1...65_535).contains(port) else {
                throw AnnealError(place, "'\(parts[1])' is not a port", suggestion: "write e.g. \(parts[0]):22")
            }
            host.port = port
        }
        for word in rest {
            let pair = word.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, ["slots", "max_slots", "max-slots"].contains(pair[0]), let slots = Int(pair[1]),
                (1...4096).contains(slots)
            else {
                throw AnnealError(place, "'\(word)' is not understood", suggestion: "write e.g. \(host.name) slots=2")
            }
            host.slots = slots
        }
        return host
    }

    /// Open MPI's form, with as many slots on each host as the job uses.
    /// - Returns: nil if there are too few slots.
    static func slots(_ hosts: [JobHost], processes: Int) -> [(host: JobHost, slots: Int)]? {
        var slots = hosts.map { _ in 0 }, left = processes
        while left > 0 {
            let free = hosts.indices.filter { slots[$0] < hosts[$0].slots ?? .max }
            guard !free.isEmpty else { return nil }
            for index in free where left > 0 {
                slots[index] += 1
                left -= 1
            }
        }
        return zip(hosts, slots).filter { $1 > 0 }.map { (host: $0, slots: $1) }
    }
}
