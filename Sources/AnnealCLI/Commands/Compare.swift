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
            case .success(let test): print(Self.text(test))
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
                    + "name a run's folder; anneal runs lists them", code: .notFound)
        }
        return nil
    }

    private func test(_ first: String, _ second: String) -> Result<McNemar, AnnealError> {
        do {
            return .success(try McNemar(answers(first), answers(second)))
        } catch let error as AnnealError {
            return .failure(error)
        } catch {
            return .failure(AnnealError(second, "\(error)"))
        }
    }

    private func answers(_ run: String) throws -> AnswerFile {
        let path = RunFolder(existing: run).file("predictions.csv")
        guard Files.exists(path) else {
            throw AnnealError(
                path, "is not there",
                suggestion:
                    "write it with anneal score --model \(shellQuoted(run)) --per-image --output FOLDER --data-val DATA",
                code: .notFound)
        }
        return try AnswerFile(path)
    }

    private static func text(_ test: McNemar) -> String {
        func points(_ value: Double) -> String { (value < 0 ? "" : "+") + LogGrammar.fixed(value * 100, 2) }
        let p = test.pValue
        let verdict =
            p < 0.05
            ? "the difference is larger than chance would make it" : "the difference may well be chance"
        return """
              images             \(Readable.count(test.images))
              only first right   \(Readable.count(test.onlyFirst))
              only second right  \(Readable.count(test.onlySecond))
              accuracy           \(points(test.difference)) points (95 % interval \(points(test.interval.lowerBound)) to \(points(test.interval.upperBound)))
              p                  \(p < 0.0001 ? "below 0.0001" : LogGrammar.fixed(p, 4)): \(verdict)
            """
    }

    private static func json(
        _ runs: [String], _ table: RunTable?, _ tests: [(index: Int, test: Result<McNemar, AnnealError>)]
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
                    case .success(let test):
                        [
                            "first": .string(runs[0]), "second": .string(runs[index]), "images": .integer(test.images),
                            "both": .integer(test.both), "only_first": .integer(test.onlyFirst),
                            "only_second": .integer(test.onlySecond), "neither": .integer(test.neither),
                            "difference": .number(test.difference), "p": .number(test.pValue),
                        ]
                    case .failure(let error):
                        ["first": .string(runs[0]), "second": .string(runs[index]), "problem": .string("\(error)")]
                    }
                }),
        ]
    }
}
