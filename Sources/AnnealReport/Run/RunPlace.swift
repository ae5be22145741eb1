import AnnealCore

/// Where the relative paths of a recorded run begin now. A project that is moved or copied takes its runs and data
/// along: then nothing in the folder where the run was started is read or overwritten.
package struct RunPlace {
    /// The folder in which the run was started.
    package let recorded: String
    /// Where that folder is now, as far as the path of the run's folder tells; nil if the run has not moved, or was
    /// named by an absolute path.
    package let moved: String?

    /// - Parameter folder: the run's folder.
    package init(_ record: RunRecord, folder: String) {
        recorded = record.workingFolder
        let folder = Files.absolute(folder)
        var path = Files.path("runs", Files.name(of: folder))
        if case .string(let named)? = record.arguments["run-folder"] { path = named }
        let began = Files.absolute(Files.path(path.utf8.first == UInt8(ascii: "/") ? "" : recorded, path))
        let real = Files.realPath(folder)
        moved = began == folder || real != nil && Files.realPath(began) == real ? nil : Self.base(path, [folder, real])
    }

    /// The working folder in which a run resumes, and whether it differs from the one it was started in.
    /// - Parameters:
    ///   - data: paths from flags that must exist; absolute ones are ignored.
    /// - Throws: `AnnealError` if there is none.
    package func workingFolder(holding data: [String]) throws -> (path: String, isMoved: Bool) {
        func holdsData(_ folder: String) -> Bool {
            data.allSatisfy { Files.exists($0.utf8.first == UInt8(ascii: "/") ? $0 : Files.path(folder, $0)) }
        }
        // If only the run's folder was moved, its data stayed behind.
        if let moved, holdsData(moved) { return (moved, true) }
        if Files.isFolder(recorded) { return (recorded, false) }
        let here = Files.workingFolder
        if holdsData(here) { return (here, true) }
        throw AnnealError(
            recorded, "the run was started there, but it no longer exists",
            suggestion: "go to the folder that the run's data is in now, or name the data: --data-train FILE",
            code: .notFound)
    }

    /// `/b/project` for `/b/project/runs/x` and `runs/x`; nil if no folder ends that way.
    private static func base(_ path: String, _ folders: [String?]) -> String? {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"))
        // `../runs/x` is ambiguous.
        guard path.utf8.first != UInt8(ascii: "/"), !parts.contains(where: { $0.elementsEqual("..".utf8) }) else {
            return nil
        }
        let ending = Files.absolute("/" + path)
        let folder = folders.compactMap(\.self).first {
            $0.utf8.count > ending.utf8.count && $0.utf8.suffix(ending.utf8.count).elementsEqual(ending.utf8)
        }
        return folder.flatMap { String($0.utf8.dropLast(ending.utf8.count)) }
    }
}
