import Anneal
import ArgumentParser
import Foundation

/// Converts a checkpoint to the format that MXNet 1.9.1 writes.
struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rewrite a checkpoint: for MXNet 1.9.1, in float32, without the optimizer's state.",
        discussion: """
            The symbol is upgraded to the JSON of MXNet 1.9.1, parameters of any type become float32, names get arg: and \
            aux: if they lack them, and what the network does not use is left out. The record of preprocessing goes along. \
            Existing files are not overwritten with different contents.

            anneal convert --model old-model --load-epoch 12 --to new-model
            """)

    @Option(help: SavedModel.help)
    var model: String
    @Option(help: CheckpointChoice.help)
    var loadEpoch: CheckpointChoice?
    @Option(help: ArgumentHelp("Prefix of the new checkpoint.", valueName: "PREFIX"))
    var to: String
    @Option(help: ArgumentHelp("Its number (default: as before).", valueName: "N"))
    var toEpoch: Int?
    @Option(
        help: ArgumentHelp("New names of the classes, one per line, in the order of the labels.", valueName: "FILE"))
    var classNames: String?
    @Flag(help: "Keep the optimizer's state, to continue training.")
    var keepOptimizer = false

    func run() throws {
        guard !Files.name(of: to).isEmpty else {
            throw UsageError(
                "--to \(to)", "is not a file name", suggestion: "give a folder and the beginning of a name, out/model")
        }
        let saved = try SavedModel(model, loadEpoch), prefix = saved.prefix
        if let file = saved.foreignFile {
            throw AnnealError(file, "is not a checkpoint", suggestion: "anneal import \(shellQuoted(file)) --to \(to)")
        }
        guard canonical(prefix) != canonical(to) else {
            throw UsageError("--to \(to)", "is the checkpoint that is read", suggestion: "choose another prefix")
        }
        if let toEpoch, toEpoch < 0 {
            throw UsageError("--to-epoch", "is \(toEpoch)", suggestion: "it must not be negative")
        }
        let symbolPath = Checkpoint.symbolPath(prefix), parametersPath = saved.parametersPath
        let symbol = try Symbol.load(symbolPath)
        let stored = try ParamsFile.read(parametersPath)
        let checkpoint = try Checkpoint(symbol: symbol, arrays: stored), arrays = try checkpoint.storedArrays()
        try checkpoint.warnOfNonFinite(saved)
        try checkComplete(arrays, symbol, parametersPath)
        let json = Data(try symbol.json().utf8)
        let record = try renamedRecord(symbol, prefix)
        let resumePath = Checkpoint.resumePath(prefix, saved.number)
        let resume = keepOptimizer ? try Files.read(resumePath) : nil

        let epoch = toEpoch ?? saved.number
        // The parameters come last: if they exist, everything exists.
        let files: [(path: String, data: Data?)] = [
            (Checkpoint.symbolPath(to), json), (Preprocessing.path(to), try record?.encoded()),
            (Checkpoint.resumePath(to, epoch), resume),
            (Checkpoint.parametersPath(to, epoch), ParamsFile.encode(arrays)),
        ]
        for file in files where Files.exists(file.path) {
            guard try file.data == Files.read(file.path) else {
                throw AnnealError(
                    file.path, "already exists with different contents", suggestion: "delete it or choose another --to")
            }
        }
        let folder = Files.folder(of: to)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        var written = AtomicFiles()
        for case (let path, let data?) in files { try written.write(data, to: path) }
        try written.finish()

        print("\(Checkpoint.parametersPath(to, epoch)): \(arrays.count) arrays")
        for change in typeChanges(stored) + nameChanges(stored, arrays) { print("  \(change)") }
        print("  symbol: \(try json == Files.read(symbolPath) ? "as it was" : "rewritten in the form of MXNet 1.9.1")")
        if let names = record?.classNames {
            print("  classes: \(names.count), \(names.prefix(5).map { $0.printable() }.joined(separator: ", "))")
        }
        if Files.exists(resumePath) { print("  optimizer's state: \(keepOptimizer ? "kept" : "left out")") }
    }

    private func canonical(_ prefix: String) -> FilePath {
        let path = Checkpoint.symbolPath(prefix), folder = Files.folder(of: path)
        // A file that does not exist yet may be in a folder that does.
        let whole = Files.realPath(path) ?? Files.realPath(folder).map { Files.path($0, Files.name(of: path)) }
        return FilePath(whole ?? Files.absolute(path))
    }

    /// Only data and labels may be missing from the parameters.
    private func checkComplete(_ arrays: [StoredArray], _ symbol: Symbol, _ path: String) throws {
        let there = Set(arrays.map { String($0.name.dropFirst(4)) })
        if let missing = try symbol.parameterNames(parameters: there).first(where: { !there.contains($0) }) {
            throw AnnealError(
                path, "has no parameter \(missing)", suggestion: "it is of another network than the symbol")
        }
    }

    private func renamedRecord(_ symbol: Symbol, _ prefix: String) throws -> Preprocessing? {
        var record = try Preprocessing.load(prefix: prefix)
        guard let classNames else { return record }
        guard let shape = record?.imageShape else {
            throw AnnealError(
                Preprocessing.path(prefix), "is not there",
                suggestion: "class names are kept in it; leave --class-names out")
        }
        let names = try ClassNames.read(classNames)
        let classes = try ClassifierNetwork(symbol).classes(Shape(shape))
        guard names.count == classes else {
            throw AnnealError(classNames, "has \(names.count.counted("name")), the network \(classes.counted("class"))")
        }
        record?.classNames = names
        return record
    }

    /// `types: 12 arrays from float16`
    private func typeChanges(_ stored: [StoredArray]) -> [String] {
        let others = Dictionary(grouping: stored.filter { $0.dtype != .float32 }, by: { "\($0.dtype)" })
        return others.sorted { $0.key < $1.key }.map { "types: \($0.value.count) arrays from \($0.key) to float32" }
    }

    private func nameChanges(_ stored: [StoredArray], _ arrays: [StoredArray]) -> [String] {
        func hasPrefix(_ name: String) -> Bool { name.hasPrefix("arg:") || name.hasPrefix("aux:") }
        let written = Set(arrays.map { $0.name.dropFirst(4) })
        let bare = stored.filter { !hasPrefix($0.name) && written.contains($0.name[...]) }
        let unused = stored.map { hasPrefix($0.name) ? $0.name.dropFirst(4) : $0.name[...] }
            .filter { !written.contains($0) }
        var changes: [String] = []
        if !bare.isEmpty { changes.append("names: \(bare.count) got their arg: or aux:") }
        if !unused.isEmpty {
            let shown = unused.prefix(5).joined(separator: ", ") + (unused.count > 5 ? ", …" : "")
            changes.append("left out, the network does not use them: \(unused.count) (\(shown))")
        }
        return changes
    }
}
