import AnnealCore
import Foundation

/// A reader of outside data, and files that it reads.
struct FuzzTarget: Sendable {
    let name: String
    /// The files are text: their words and numbers are changed too, not only their bytes.
    var isText = false
    /// Words that stand for others in texts, besides those that are there.
    var words: [String] = []
    /// Bytes of memory that a byte of the file may cost, besides `fixedMemory`.
    var memoryFactor = 64
    /// Seconds that an input may take. Slow machines and emulators are slower than any reader.
    var secondsLimit: UInt32 = 10
    /// Makes the file's checksums right again, where a reader would see nothing else: for half of the inputs.
    var suggestion: (@Sendable (inout [UInt8]) -> Void)?
    let prepare: @Sendable (Workspace) throws -> FuzzReader

    /// Buffers of a fixed size: decoders, charts, compiled networks.
    static let fixedMemory = 16 << 20

    static let all: [FuzzTarget] = recordTargets + imageTargets + networkTargets + modelTargets + runTargets

    static func named(_ name: String) throws -> FuzzTarget {
        guard let target = (all + plantedTargets).first(where: { $0.name == name }) else {
            throw AnnealError(
                "--target \(name)", "is not known", suggestion: "there are \(all.map(\.name).joined(separator: ", "))")
        }
        return target
    }
}

struct FuzzReader {
    /// Whole files, which `read` must accept.
    let seeds: [[UInt8]]
    /// Reads a damaged one, as far as the tool would: it may throw an `AnnealError`, and nothing else may happen.
    let read: ([UInt8]) throws -> Void
}

/// Where a reader's files are.
struct Workspace {
    /// For files of this process alone.
    let folder: String
    /// The repository's committed files.
    let fixtures: String

    func path(_ name: String) -> String { Files.path(folder, name) }

    /// Without a sync, which `Files.writeAtomically` has: there are hundreds of thousands.
    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    func bytes(_ name: String) throws -> [UInt8] { Array(try Files.read(path(name))) }

    /// Committed files of at most 24 KB whose names end so, in the order of their paths.
    func fixtures(ending: String) throws -> [[UInt8]] {
        guard let all = FileManager.default.enumerator(atPath: fixtures) else {
            throw AnnealError(
                fixtures, "is not there", suggestion: "run in the repository's folder, or give --fixtures")
        }
        let paths = all.compactMap { $0 as? String }.filter { $0.hasSuffix(ending) }.sorted()
        return try paths.map { Array(try Files.read(Files.path(fixtures, $0))) }.filter { $0.count <= 24 << 10 }
    }
}

/// What follows the reading; a file that is read may still be of no use to it.
func allowingErrors(_ body: () throws -> Void) throws {
    do { try body() } catch is AnnealError {}
}
