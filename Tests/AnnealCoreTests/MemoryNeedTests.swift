import AnnealCore
import Foundation
import Testing

@Suite struct MemoryNeedTests {
    /// A machine described by files: 1000 MB of memory and 200 MB of swap, of which 890 and 100 MB are free; the
    /// process has 100 MB of address space and 10 MB of pages in use.
    private func machine(cgroup: String = "", _ files: [String: String] = [:]) throws -> String {
        let root = NSTemporaryDirectory() + "anneal-memory-" + UUID().uuidString
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let all = [
            "proc/self/statm": "\((100 << 20) / page) \((10 << 20) / page) 0 0 0 \((50 << 20) / page) 0\n",
            "proc/self/cgroup": cgroup,
            "proc/meminfo": """
            MemTotal:        1024000 kB
            MemFree:               5 kB
            MemAvailable:     911360 kB
            SwapTotal:        204800 kB
            SwapFree:         102400 kB
            CommitLimit:      307200 kB
            Committed_AS:     102400 kB

            """,
        ].merging(files) { $1 }
        for (name, text) in all {
            let path = root + "/" + name
            try Files.makeFolder(Files.folder(of: path))
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }
        return root
    }

    private func refusal(_ megabytes: Int, _ files: String) -> String? {
        defer { try? FileManager.default.removeItem(atPath: files) }
        var need = MemoryNeed()
        need.add("images", bytes: megabytes << 20)
        need.add("plan", bytes: 1 << 20)
        do {
            try need.check(files: files)
            return nil
        } catch { return (error as? AnnealError)?.code == .outOfMemory ? "\(error)" : "?" }
    }

    @Test func theMachineIsALimit() throws {
        #expect(refusal(989, try machine()) == nil)
        let text = try #require(refusal(1990, try machine()))
        #expect(
            text.hasPrefix(
                "memory: 1,991 MB are needed (images 1,990 MB, plan 1 MB), and this machine's memory of 1200 MB"))
        #expect(text.contains("leaves 990 MB") && text.contains("--batch-size"))
    }

    /// The group's own limit and those of its ancestors; for both versions.
    @Test func controlGroupsAreLimits() throws {
        let second = [
            "sys/fs/cgroup/a/memory.max": "\(300 << 20)\n", "sys/fs/cgroup/a/memory.swap.max": "0\n",
            "sys/fs/cgroup/a/b/memory.max": "max\n",
        ]
        #expect(refusal(289, try machine(cgroup: "0::/a/b\n", second)) == nil)
        #expect(
            refusal(290, try machine(cgroup: "0::/a/b\n", second))?.contains("control group's limit of 300 MB") == true)
        let first = [
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "\(200 << 20)\n",
            "sys/fs/cgroup/memory/job/memory.memsw.limit_in_bytes": "\(200 << 20)\n",
        ]
        #expect(refusal(189, try machine(cgroup: "5:memory:/job\n2:cpu:/\n", first)) == nil)
        #expect(refusal(190, try machine(cgroup: "5:memory:/job\n", first))?.contains("200 MB") == true)
    }

    /// Swap counts as far as a group may use it.
    @Test func swapIsMemoryToo() throws {
        let limit = ["sys/fs/cgroup/a/memory.max": "\(300 << 20)\n"]
        #expect(refusal(389, try machine(cgroup: "0::/a\n", limit)) == nil)
        #expect(refusal(390, try machine(cgroup: "0::/a\n", limit)) != nil)
        let some = limit.merging(["sys/fs/cgroup/a/memory.swap.max": "\(50 << 20)\n"]) { $1 }
        #expect(refusal(339, try machine(cgroup: "0::/a\n", some)) == nil)
        #expect(refusal(340, try machine(cgroup: "0::/a\n", some)) != nil)
    }

    /// If the system does not overcommit memory.
    @Test func whatIsCommittedIsALimit() throws {
        #expect(refusal(500, try machine(["proc/sys/vm/overcommit_memory": "0\n"])) == nil)
        let text = refusal(500, try machine(["proc/sys/vm/overcommit_memory": "2\n"]))
        #expect(text?.contains("overcommit_memory is 2") == true)
    }

    /// The largest parts of a long list, with parts of the same name combined.
    @Test func theLargestPartsAreNamed() throws {
        var need = MemoryNeed()
        for (name, megabytes) in [("a", 400), ("b", 2), ("c", 300), ("d", 5), ("e", 4), ("c", 1000)] {
            need.add(name, bytes: megabytes << 20)
        }
        let files = try machine()
        defer { try? FileManager.default.removeItem(atPath: files) }
        do {
            try need.check(files: files)
            Issue.record("no error")
        } catch {
            #expect("\(error)".contains("(c 1,300 MB, a 400 MB, d 5 MB, e 4 MB)"))
        }
    }

    @Test func sumsDoNotOverflow() throws {
        var need = MemoryNeed()
        need.add("a", bytes: .max)
        need.add("b", bytes: .max)
        #expect(need.bytes == .max)
        #expect(throws: AnnealError.self) { try need.check() }
        #expect(throws: AnnealError.self) { try allocateFloats(1 << 58, for: "a test") }
    }
}
