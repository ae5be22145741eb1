import AnnealCore
import Foundation

/// A reader of outside data, with files that it can read.
struct FuzzTarget: Sendable {
    let name: String
    /// The files are text: words and numbers are mutated too, not only bytes.
    var isText = false
    /// Words to insert into texts, besides those that they contain.
    var words: [String] = []
    /// Bytes of memory allowed per byte of the file, in addition to `fixedMemory`.
    var memoryFactor = 64
    /// Seconds allowed per input. Slow machines and emulators are slower than any reader.
    var secondsLimit: UInt32 = 10
    /// Recomputes the file's checksums, without which a reader would find no other error: for half of the inputs.
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
    /// Reads a damaged file, as far as the tool would: it may throw an `AnnealError`, and nothing else may happen.
    let read: ([UInt8]) throws -> Void
}

/// The folders of a reader's files.
struct Workspace {
    /// For files of this process only.
    let folder: String
    /// The repository's committed files.
    let fixtures: String

    func path(_ name: String) -> String { Files.path(folder, name) }

    /// Without the sync of `Files.writeAtomically`: there are hundreds of thousands of files.
    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    func bytes(_ name: String) throws -> [UInt8] { Array(try Files.read(path(name))) }

    /// Committed files of at most 24 KB with these suffixes, in the order of their paths.
    func fixtures(ending: String) throws -> [[UInt8]] {
        guard let all = FileManager.default.enumerator(atPath: fixtures) else {
            throw AnnealError(
                fixtures, "is not there", suggestion: "run in the repository's folder, or give --fixtures")
        }
        let paths = all.compactMap { $0 as? String }.filter { $0.hasSuffix(ending) }.sorted()
        return try paths.map { Array(try Files.read(Files.path(fixtures, $0))) }.filter { $0.count <= 24 << 10 }
    }
}

/// Steps after reading; a file that can be read may still be useless.
func allowingErrors(_ body: () throws -> Void) throws {
    do { try body() } catch is AnnealError {}
}
