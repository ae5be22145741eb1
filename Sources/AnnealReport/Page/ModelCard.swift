import AnnealCore
import AnnealTrain
import Foundation

/// A model card, `README.md` of a run's folder: the model, its data, training and results, and how to use it. Meant to
/// be read, corrected and published with the model.
public struct ModelCard: Sendable {
    private let page: RunPage
    private let folder: String
    /// The run's folder as seen from the card.
    private var place = "."

    static let fileName = "README.md"
    /// The first line of cards that a run wrote: cards without it are a person's, and are kept.
    private static let mark =
        "<!-- Written by anneal at the run's end. Remove this line, and it will not be written again. -->"

    public init(inFolder folder: String) {
        page = RunPage(inFolder: folder)
        self.folder = folder
    }

    /// Writes the card into the run's folder, unless a person has edited it (and removed the first line).
    public func write() throws {
        let path = Files.path(folder, Self.fileName)
        guard !Self.isEdited(path) else { return }
        try Files.writeAtomically(Data(markdown.utf8), to: path)
    }

    /// Writes the card to a file, from where it names the run's folder.
    /// - Throws: `AnnealError` if the file is one that a person has edited.
    public func write(to path: String) throws {
        guard !Self.isEdited(path) else {
            throw AnnealError(
                path, "has been edited: its first line is not that of a card that anneal wrote",
                suggestion: "name another file, or remove it")
        }
        var card = self
        let isInside = Files.absolute(Files.folder(of: Files.absolute(path))) == Files.absolute(folder)
        if !isInside { card.place = Files.absolute(folder) }
        try Files.writeAtomically(Data(card.markdown.utf8), to: path)
    }

    private static func isEdited(_ path: String) -> Bool {
        guard Files.exists(path) else { return false }
        // What cannot be read is no card of ours.
        guard let text = try? Files.readText(path) else { return true }
        return !text.isEmpty && !text.hasPrefix(mark)
    }

    public var markdown: String {
        [Self.mark, "# \(Self.escaped(page.title))", summary, data, results, classes, recipe, use]
            .compactMap { $0 }.joined(separator: "\n\n") + "\n"
    }

    private var summary: String {
        var text = "An image classifier, trained with \(Self.escaped(page.run.record?.version ?? "anneal"))"
        if let date = page.run.record?.date {
            text += " on \(date.formatted(.iso8601.year().month().day().dateSeparator(.dash)))"
        }
        if let layers = page.layers {
            text += ": \(Self.escaped(layers.network)), \(Readable.count(layers.parameters)) parameters, images of "
            text += layers.imageShape.map(String.init).joined(separator: " x ")
        }
        text += "."
        let run = page.run
        switch run.state {
        case .finished: break
        case .running: text += " The training is under way."
        case .interrupted, .failed:
            let end = run.endEpoch.map { " of \($0)" } ?? ""
            text += run.state == .failed ? " The training failed" : " The training was interrupted"
            text += " after \(run.epochs)\(end) \(run.endEpoch ?? run.epochs == 1 ? "epoch" : "epochs")."
        }
        return text
    }

    private var data: String? {
        guard let found = page.run.record?.data, !found.isEmpty else { return nil }
        func file(_ flag: String) -> String? { page.text(flag).map { FilePath($0).name.description } }
        let share = page.text("data-val") == nil ? page.text("val-split") : nil
        let rows = found.sorted { $0.key < $1.key }.map { name, data in
            guard let share, let training = file("data-train") else {
                return [
                    name, file(name == "validation" ? "data-val" : "data-train") ?? "-", Readable.count(data.count),
                    data.kind.rawValue,
                ]
            }
            // Both are of one file.
            let heldOut = page.evaluation?.images
            let count = name == "validation" ? heldOut : heldOut.map { data.count - $0 }
            return [
                name, "\(training), \(name == "validation" ? "\(share) of it" : "the rest")",
                count.map(Readable.count) ?? "\(Readable.count(data.count)) in all", data.kind.rawValue,
            ]
        }
        return "## Data\n\n" + Self.table(["use", "file", "images", "kind"], rows)
    }

    private var results: String? {
        var rows: [[String]] = []
        if let best = page.run.best {
            rows.append(["best validation \(best.metric)", Readable.metric(best.value), "\(best.checkpoint)"])
        }
        for (name, value) in (page.evaluation?.metrics ?? [:]).sorted(by: { $0.key < $1.key })
        where name != page.run.best?.metric {
            rows.append([
                "validation \(name)", value.map(Readable.metric) ?? "-", "\(page.evaluation?.checkpoint ?? 0)",
            ])
        }
        for (name, value) in (page.results?.testTimeViews ?? [:]).sorted(by: { $0.key < $1.key }) {
            rows.append([
                "\(name), several views of each image", Readable.metric(value), "\(page.results?.last.checkpoint ?? 0)",
            ])
        }
        guard !rows.isEmpty else { return nil }
        let picture = Files.exists(Files.path(folder, "curves.png")) ? "\n\n![Curves](\(beside("curves.png")))" : ""
        return "## Results\n\n" + Self.table(["measure", "value", "checkpoint"], rows) + "\n\n"
            + "\(page.run.epochs.counted("epoch")) in \(Readable.duration(page.run.seconds))." + picture
    }

    private var classes: String? {
        guard let evaluation = page.evaluation else { return nil }
        let scores = evaluation.scores
        func share(_ value: Double?) -> String { value.map { LogGrammar.fixed($0, 4) } ?? "-" }
        let order = scores.indices.sorted { (scores[$0].recall ?? 2, $0) < (scores[$1].recall ?? 2, $1) }
        let shown = order.count > 100 ? Array(order.prefix(100)) : Array(scores.indices)
        let rows = shown.map { label in
            [
                evaluation.classNames[label], "\(scores[label].images)", share(scores[label].recall),
                share(scores[label].precision), share(scores[label].f1),
            ]
        }
        let which = order.count > 100 ? "The 100 of \(order.count) classes with the lowest recall, on" : "On"
        return "## Classes\n\n\(which) \(Readable.count(evaluation.images)) validation images, checkpoint "
            + "\(evaluation.checkpoint).\n\n" + Self.table(["class", "images", "recall", "precision", "F1"], rows)
    }

    private var recipe: String? {
        guard let record = page.run.record else { return nil }
        let own: Set<String> = ["run-folder", "model-prefix", "config"]
        let rows = record.arguments.filter { !own.contains($0.key) }.sorted { $0.key < $1.key }
            .map { ["--\($0.key)", $0.value.text] }
        return """
            ## Recipe

            \(Self.code(page.run.commandLine))

            \(record.machine.processor.isEmpty ? "" : "On \(Self.escaped(record.machine.processor)), \(record.threads.counted("thread")). ")\
            `config.yaml` starts the same training again.

            <details><summary>All flags in force</summary>

            \(Self.table(["flag", "value"], rows))

            </details>
            """
    }

    private func beside(_ name: String) -> String {
        let path = place == "." ? name : Files.path(place, name)
        return path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
    }

    /// nil before the first checkpoint.
    private var use: String? {
        guard page.run.epochs > 0 else { return nil }
        return """
            ## Use

            \(Self.code("anneal predict --model \(Self.quoted(place)) --load-epoch best cat.jpg"))

            The files are MXNet's (`-symbol.json`, `.params`); `anneal export` makes an ONNX model of them. How images become the \
            network's input is in `model-preprocessing.json`.
            """
    }

    private static func quoted(_ path: String) -> String {
        let plain = path.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-".contains($0)) }
        return plain ? path : "'" + path.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }

    // MARK: Markdown

    private static func table(_ header: [String], _ rows: [[String]]) -> String {
        let lines = [header, header.map { _ in "---" }] + rows.map { $0.map(escaped) }
        return lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }

    /// Text without any markup, in one line.
    static func escaped(_ text: String) -> String {
        text.printable().reduce(into: "") { result, character in
            if "\\`*_{}[]<>()#+!|~&".contains(character) { result.append("\\") }
            result.append(character)
        }
    }

    /// A block of code, fenced by more backticks than are in it.
    private static func code(_ text: String) -> String {
        let text = text.printable()
        let longest = text.split(whereSeparator: { $0 != "`" }).map(\.count).max() ?? 0
        let fence = String(repeating: "`", count: max(3, longest + 1))
        return "\(fence)sh\n\(text)\n\(fence)"
    }
}
