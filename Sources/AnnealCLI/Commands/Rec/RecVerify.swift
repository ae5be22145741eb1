import Anneal
import ArgumentParser

/// How records are verified.
struct VerificationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Hashes of the records (default: FILE.rec.sha256, if it exists).", valueName: "FILE.sha256"))
    var manifest: String?
    @Flag(help: "Do not decode the images.")
    var noDecode = false
    @Option(help: ArgumentHelp("Number of classes: other labels are bad.", valueName: "N"))
    var numClasses: Int?
    @OptionGroup var decoding: DecodingOptions

    /// Reads the whole file.
    func verify(_ input: RecordInput) throws -> RecordVerification {
        try decoding.check()
        if let numClasses, numClasses < 1 {
            throw UsageError("--num-classes", "is \(numClasses)", suggestion: "it must be at least 1")
        }
        var options = RecordVerification.Options()
        options.threads = decoding.dataNthreads
        options.maximumPixels = decoding.maxImagePixels
        options.decodes = !noDecode
        options.classes = numClasses
        let neighbour = RecordManifest.path(of: input.file)
        if let path = manifest ?? (Files.exists(neighbour) ? neighbour : nil) {
            options.manifest = try RecordManifest(file: path)
        }
        let salvage = try RecordSalvage(input.file, index: input.idx)
        let progress = ProgressLine("Verifying \(FilePath(input.file))", total: salvage.file.count, unit: "records")
        let found = try RecordVerification(salvage, options) { progress.update(done: $0) }
        progress.finish()
        return found
    }
}

extension RecordVerification {
    /// A line for each problem, in the order of the file.
    var problems: [String] {
        let path = FilePath(salvage.file.path)
        var found: [(offset: Int, text: String)] = salvage.damages.map { damage in
            let what = damage.isTruncation ? "truncated: " : ""
            return (
                damage.bytes.lowerBound,
                "\(path), byte \(damage.bytes.lowerBound) to \(damage.bytes.upperBound): \(what)\(damage.problem)"
            )
        }
        found += bad.map { ($0.offset, "\($0.reason)") }
        found += missing.map {
            ($0.offset, "\(path), byte \($0.offset): the record with the key \($0.key) of the manifest is gone")
        }
        return found.sorted { $0.offset < $1.offset }.map(\.text) + salvage.indexProblems.map { "\($0)" }
    }
}

/// All problems of a record file.
struct RecVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Find what is damaged in a record file.",
        discussion: """
            Reads past damage: framing, padding, headers, labels, the index and every image; with a manifest, every bit. \
            Names each damaged record and place; the exit code is 1 if there is one.

            anneal rec verify train.rec --write
            anneal rec verify train.rec
            """)
    @OptionGroup var input: RecordInput
    @Flag(help: "Write the manifest if nothing is wrong: FILE.rec.sha256, a hash of each record.")
    var write = false
    @OptionGroup var options: VerificationOptions

    func run() throws {
        let found = try options.verify(input), count = found.salvage.file.count
        for problem in found.problems { print(problem) }
        guard found.isWhole else {
            let damages = found.bad.count + found.salvage.damages.count
            print(
                "\(Readable.counted(count - found.bad.count, "good record")), \(Readable.counted(damages, "damage")): "
                    + "anneal rec repair extracts the good ones")
            throw ExitCode.failure
        }
        print("\(FilePath(input.file)): \(Readable.counted(count, "record")), nothing is wrong")
        guard write else { return }
        let path = options.manifest ?? RecordManifest.path(of: input.file)
        try RecordManifest(found.salvage.file, threads: options.decoding.dataNthreads).write(to: path)
        print(path, about: path)
    }
}

/// Copies the good records of a damaged file.
struct RecRepair: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Extract the good records from a damaged file.",
        discussion: """
            Writes those that anneal rec verify finds nothing wrong with, and an index. Records keep their keys, where the \
            index has them. What is left out goes into the quarantine, with the reasons in FILE.rec.txt.

            anneal rec repair broken.rec --to good.rec --quarantine bad.rec
            """)
    @OptionGroup var input: RecordInput
    @Option(help: ArgumentHelp("Output file for the good records.", valueName: "OUT.rec"))
    var to: String
    @Option(help: ArgumentHelp("Output file for the others (default: they are discarded).", valueName: "FILE.rec"))
    var quarantine: String?
    @OptionGroup var options: VerificationOptions

    func run() throws {
        try RecordFile.checkTargets([to] + (quarantine.map { [$0] } ?? []), sources: [input.file])
        let found = try options.verify(input)
        for problem in found.problems { print(problem) }
        let repair = try found.repair(to: to, quarantine: quarantine)
        let place = quarantine.map { repair.quarantined > 0 ? " are in \(FilePath($0))" : "" } ?? " are left out"
        print(
            "\(FilePath(to)): \(repair.kept.counted("record"))"
                + (repair.quarantined > 0 ? "; \(repair.quarantined.counted("damaged piece"))\(place)" : ""), about: to)
    }
}
