import Anneal
import ArgumentParser

/// Runs side by side.
struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how runs differ in their settings and results.",
        discussion: """
            The settings that differ, the results, and whether the models differ on the same images: McNemar's exact test on \
            the images that one of them has right and the other wrong. A run writes its best model's answers about the \
            validation images (predictions.csv) when it ends; 'anneal score --per-image' writes those of any checkpoint and \
            data, and its output folder can be compared in the place of a run. Further runs are tested against the first.

            anneal compare runs/scratch runs/fine-tuned
            anneal compare scores/a scores/b
            """)

    @Argument(help: ArgumentHelp("Run folders, two or more.", valueName: "RUN"), completion: .directory)
    var runs: [String]
    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        guard runs.count > 1 else {
            throw UsageError(
                runs.first ?? "", "is one run", suggestion: "name those that it is to be compared with: RUN RUN")
        }
        let trained = try runs.map { try Self.summary($0) }
        let table = RunTable(trained.compactMap { $0 })
        let isTable = !trained.contains { $0 == nil }
        let tests = runs.indices.dropFirst().map { (index: $0, test: test(runs[0], runs[$0])) }
        if json { return print(try Self.json(runs, isTable ? table : nil, tests).encoded()) }
        let names = runs.map { FilePath($0).name.description }
        if isTable {
            show("setting", names, table.settings)
            show("result", names, table.results)
        }
        for (index, test) in tests {
            print("\n\(names[index]) against \(names[0]), McNemar's test on the same images:")
            switch test {
            case .success(let test): print(Self.text(test.result, of: test.images))
            case .failure(let error): print("  not possible: \(error)")
            }
        }
    }

    private func show(_ title: String, _ names: [String], _ rows: [RunTable.Row]) {
        guard !rows.isEmpty else { return print(title == "setting" ? "The settings are the same." : "") }
        var table = TextTable([title] + names.map { $0.printable() })
        for row in rows { table.add([row.name] + row.values) }
        print((title == "setting" ? "" : "\n") + table.text)
    }

    /// nil for the folder of a score.
    private static func summary(_ path: String) throws -> RunSummary? {
        let folder = RunFolder(existing: path)
        if Files.exists(folder.arguments) { return RunSummary(path, name: FilePath(path).name.description) }
        guard Files.exists(folder.file("predictions.csv")) else {
            throw AnnealError(
                path, Files.isFolder(path) ? "holds no run" : "is not a folder",
                suggestion: Spelling.question(Spelling.existingPath(like: path).map { [$0] } ?? [])
                    + "name a run's folder (anneal runs lists them), or one that anneal score --per-image has written",
                code: .notFound)
        }
        return nil
    }

    /// A test, and the number of images of each of the two.
    private typealias Test = (result: McNemar, images: [Int])

    private func test(_ first: String, _ second: String) -> Result<Test, AnnealError> {
        do {
            let both = try [answers(first), answers(second)]
            return .success((try McNemar(both[0], both[1]), both.map(\.rows.count)))
        } catch let error as AnnealError {
            return .failure(error)
        } catch {
            return .failure(AnnealError(second, "\(error)"))
        }
    }

    private func answers(_ run: String) throws -> AnswerFile {
        let path = RunFolder(existing: run).file("predictions.csv")
        guard Files.exists(path) else {
            let summary = RunSummary(run, name: run)
            let suggestion =
                summary.state == .running
                ? "the run writes it at its end"
                : summary.best == nil && summary.epochs == 0
                    ? "the run has no model; anneal resume \(shellQuoted(run)) continues it"
                    : "anneal score --model \(shellQuoted(run)) --per-image --output FOLDER --data-val DATA writes answers; "
                        + "then compare FOLDER in the place of the run"
            throw AnnealError(path, "is not there", suggestion: suggestion, code: .notFound)
        }
        return try AnswerFile(path)
    }

    private static func text(_ test: McNemar, of images: [Int]) -> String {
        func points(_ value: Double) -> String { (value < 0 ? "" : "+") + LogGrammar.fixed(value * 100, 2) }
        let p = test.pValue
        let all = images.map(Readable.count)
        let which =
            images.allSatisfy { $0 == test.images } ? "" : " in both, of \(all[0]) and \(all[1])"
        let verdict =
            p < 0.05
            ? "the difference is larger than chance would make it" : "the difference may well be chance"
        return """
              images             \(Readable.count(test.images))\(which)
              only first right   \(Readable.count(test.onlyFirst))
              only second right  \(Readable.count(test.onlySecond))
              accuracy           \(points(test.difference)) points (95 % interval \(points(test.interval.lowerBound)) to \(points(test.interval.upperBound)))
              p                  \(p < 0.0001 ? "below 0.0001" : LogGrammar.fixed(p, 4)): \(verdict)
            """
    }

    private static func json(
        _ runs: [String], _ table: RunTable?, _ tests: [(index: Int, test: Result<Test, AnnealError>)]
    ) -> JSONValue {
        func rows(_ rows: [RunTable.Row]) -> JSONValue {
            .object(Dictionary(rows.map { ($0.name, .array($0.values.map(JSONValue.string))) }) { first, _ in first })
        }
        return [
            "runs": .array(runs.map(JSONValue.string)), "settings": rows(table?.settings ?? []),
            "results": rows(table?.results ?? []),
            "mcnemar": .array(
                tests.map { index, result in
                    switch result {
                    case .success((let test, let images)):
                        [
                            "first": .string(runs[0]), "second": .string(runs[index]), "images": .integer(test.images),
                            "images_of_first": .integer(images[0]), "images_of_second": .integer(images[1]),
                            "both": .integer(test.both), "only_first": .integer(test.onlyFirst),
                            "only_second": .integer(test.onlySecond), "neither": .integer(test.neither),
                            "difference": .number(test.difference), "p": .number(test.pValue),
                            "interval": [.number(test.interval.lowerBound), .number(test.interval.upperBound)],
                        ]
                    case .failure(let error):
                        ["first": .string(runs[0]), "second": .string(runs[index]), "problem": .string("\(error)")]
                    }
                }),
        ]
    }
}
