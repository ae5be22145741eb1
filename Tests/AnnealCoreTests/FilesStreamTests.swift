import AnnealCore
import Foundation
import Testing

@Suite struct FilesStreamTests {
    /// Nobody writes to them: opening or reading them would block forever.
    @Test func pipesSocketsAndDevicesAreRefused() throws {
        let folder = NSTemporaryDirectory() + "anneal-streams-" + UUID().uuidString
        try Files.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(mkfifo("\(folder)/pipe", 0o600) == 0)
        #expect(symlink("pipe", "\(folder)/link") == 0)
        for (path, kind) in [
            ("\(folder)/pipe", "a pipe"), ("\(folder)/link", "a pipe"), ("/dev/zero", "a device"),
        ] {
            #expect { try Files.read(path) } throws: { error in
                guard let error = error as? AnnealError else { return false }
                return error.place == path && error.problem == "is \(kind), not a regular file"
            }
        }
        #expect(try Files.read("/dev/null").isEmpty)
    }

    /// As `<(command)` gives it.
    @Test func anOpenPipeIsReadToItsEnd() throws {
        let pipe = Pipe()
        pipe.fileHandleForWriting.write(Data("cat\ndog\n".utf8))
        try pipe.fileHandleForWriting.close()
        #expect(try Files.readText("/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)") == "cat\ndog\n")
    }
}
