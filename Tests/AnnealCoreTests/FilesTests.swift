import AnnealCore
import Foundation
import Testing

@Suite struct FilesTests {
    /// An open file keeps its place on a full disk, even with its name gone.
    @Test func aFailedWriteLeavesNothingOpen() throws {
        struct Full: Error {}
        let path = NSTemporaryDirectory() + "anneal-files-" + UUID().uuidString
        func open() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
                .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
                .filter { $0.contains(path) }.count
        }
        for _ in 0..<3 {
            #expect(throws: Full.self) {
                try Files.writeAtomically(to: path) { write in
                    try write(Data(repeating: 1, count: 100))
                    #expect(try open() == 1)
                    throw Full()
                }
            }
        }
        #expect(try open() == 0)
        #expect(!Files.exists(path))
    }
}
