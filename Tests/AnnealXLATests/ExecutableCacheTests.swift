import AnnealCore
import AnnealXLA
import Foundation
import Testing

@Suite struct ExecutableCacheTests {
    private let root = NSTemporaryDirectory() + "anneal-cache-" + UUID().uuidString

    private func cache() throws -> ExecutableCache {
        try #require(ExecutableCache(environment: ["XDG_CACHE_HOME": root]))
    }

    private func files() throws -> [String] { try Files.names(in: root + "/anneal").map { root + "/anneal/" + $0 } }

    @Test func whatIsWrittenIsRead() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let cache = try cache(), key = ExecutableCache.key(["module", "device"])
        #expect(try cache.read(key) == nil)
        try cache.write([1, 2, 3], key)
        #expect(try cache.read(key) == [1, 2, 3])
        #expect(try cache.read(ExecutableCache.key(["module", "other device"])) == nil)
        let mode = try FileManager.default.attributesOfItem(atPath: cache.folder)[.posixPermissions] as? Int
        #expect(mode == 0o700)
    }

    @Test func theFolderIsForItsOwnerOnly() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let cache = try cache()
        try FileManager.default.createDirectory(
            atPath: cache.folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        try cache.write([1], ExecutableCache.key(["module"]))
        let mode = try FileManager.default.attributesOfItem(atPath: cache.folder)[.posixPermissions] as? Int
        #expect(mode == 0o700)
        // If others may write there, they may have planted their own code.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: cache.folder)
        #expect(throws: AnnealError.self) { try cache.read(ExecutableCache.key(["module"])) }
        #expect(throws: AnnealError.self) { try cache.write([1], ExecutableCache.key(["module"])) }
    }

    @Test func damagedAndForeignFilesAreRefused() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        let cache = try cache(), key = ExecutableCache.key(["module"])
        try cache.write(Array(0..<100), key)
        let path = try #require(try files().first)
        var data = try Data(contentsOf: URL(fileURLWithPath: path))
        data[data.count - 1] ^= 1
        try data.write(to: URL(fileURLWithPath: path))
        let damaged = #expect(throws: AnnealError.self) { try cache.read(key) }
        #expect(damaged?.code == .damaged)
        try cache.write([7], key)
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: path)
        let open = #expect(throws: AnnealError.self) { try cache.read(key) }
        #expect(open?.code == .ioFailure)
        guard geteuid() == 0 else { return }
        chmod(path, 0o600)
        #expect(try cache.read(key) == [7])
        #expect(chown(path, 65_534, 65_534) == 0)
        let foreign = #expect(throws: AnnealError.self) { try cache.read(key) }
        #expect(foreign?.problem.contains("belongs to another user") == true)
    }

    @Test func theLeastRecentlyUsedGo() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        var cache = try cache()
        cache.limit = 500
        for number in 0..<3 {
            try cache.write([UInt8](repeating: 1, count: 150), ExecutableCache.key(["\(number)"]))
            let path = cache.folder + "/" + ExecutableCache.key(["\(number)"]) + ".xla"
            if Files.exists(path) {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSince1970: Double(number + 1))], ofItemAtPath: path)
            }
        }
        #expect(try files().count == 2)
        #expect(try cache.read(ExecutableCache.key(["2"])) != nil)
    }
}
