import AnnealCore
import AnnealTrain
import Foundation

/// A run as one self-contained page: results, curves, confusion matrix, images, layers, profile, settings and log. It
/// loads nothing from anywhere, and data from outside is shown as text.
///
/// It is built from the files of the run's folder; if some are missing, damaged or incomplete, the rest is shown.
public struct RunPage: Sendable {
    let run: RunSummary
    let epochs: [EpochReport]
    let evaluation: EvaluationRecord?
    let pictures: RunPictures?
    let layers: RunLayers?
    let profile: RunProfile?
    let results: RunResults?
    /// The end of the log.
    let log: [String]
    /// The number of omitted log lines.
    let logCut: Int

    /// - Parameters:
    ///   - folder: of the run.
    ///   - name: its title; nil: the folder's name.
    public init(inFolder folder: String, name: String? = nil) {
        let files = RunFolder(existing: folder)
        run = RunSummary(folder, name: name ?? FilePath(Files.absolute(folder)).name.description)
        epochs = RunHistory.readable(files.metricsJSONL)
        evaluation = EvaluationRecord.read(inFolder: folder)
        pictures = RunPictures.read(inFolder: folder)
        layers = RunLayers.read(inFolder: folder)
        profile = RunProfile.read(inFolder: folder)
        results = RunResults.read(files.results)
        (log, logCut) = Self.ends((try? LineFile.completeLines(of: files.log)) ?? [])
    }

    /// The first and the last lines of a long log.
    private static func ends(_ lines: [String]) -> ([String], Int) {
        let first = 50, last = 150
        func short(_ line: String) -> String { line.count > 400 ? line.prefix(400) + "…" : line }
        guard lines.count > first + last else { return (lines.map(short), 0) }
        let cut = lines.count - first - last
        return (lines.prefix(first).map(short) + ["… \(cut) lines …"] + lines.suffix(last).map(short), cut)
    }

    /// The network and the data, e.g. `resnet-20 on cifar10_train.rec`.
    public var title: String {
        let network = layers?.network ?? text("network") ?? run.record?.command ?? run.name
        guard let data = text("data-train") else { return network }
        return "\(network) on \(FilePath(data).name.description)"
    }

    /// A flag that was in force.
    func text(_ flag: String) -> String? { run.record?.arguments[flag].map(\.text) }

    /// - Parameter isServed: whether a server shows it, which keeps the page of a running run up to date.
    public func html(isServed: Bool = false) throws -> Data {
        let sections = [
            section("curves", "Curves", curves), section("classes", "Classes", classes),
            section("worst", "Most wrong", worst), section("training", "Training images", training),
            section("settings", "Settings", settings), section("layers", "Layers", layerTable),
            section("profile", "Profile", profileTables), section("log", "Log", logText),
        ].compactMap { $0 }
        let links = sections.map { "<a href=\"#\($0.id)\">\($0.title)</a>" }.joined()
        let body = """
            <header>
            \(isServed ? "<p><a href=\"/\">All runs</a></p>" : "")
            <h1>\(PageText.text(title))</h1>
            <p><span class="state \(run.state.rawValue)">\(run.state.rawValue)</span>
            <span class="quiet">\(PageText.text(subtitle))</span></p>
            <p><code>\(PageText.command(run.commandLine))</code></p>
            \(problem)
            \(isServed && run.state == .running ? live : "")
            </header>
            \(facts)
            <nav aria-label="Sections">\(links)</nav>
            <main>
            \(sections.map(\.html).joined(separator: "\n"))
            </main>
            <footer class="quiet"><p>Written by \(PageText.text(run.record?.version ?? "anneal")).</p></footer>
            """
        let page = PageText.page(
            title: "\(title) - \(run.name)", body: body,
            data: [("curves-data", try PageText.json(PagePanel.panels(epochs)))], script: PageScript.run,
            isServed: isServed)
        return Data(page.utf8)
    }

    private func section(_ id: String, _ title: String, _ html: String?) -> (id: String, title: String, html: String)? {
        html.map { (id, title, "<section id=\"\(id)\"><h2>\(title)</h2>\n\($0)\n</section>") }
    }

    private var subtitle: String {
        guard let record = run.record else { return run.name }
        let day = record.date.formatted(.iso8601.year().month().day().dateSeparator(.dash))
        return "\(run.name), \(day), \(record.machine.processor), \(record.threads.counted("thread"))"
    }

    private var live: String {
        "<p role=\"status\" id=\"live\" data-events=\"/events?name=\(RunsPage.address(run.name))\">…</p>"
    }

    private var problem: String {
        guard let text = run.status?.error ?? run.problem else { return "" }
        return "<p role=\"alert\"><strong>\(PageText.text(text))</strong></p>"
    }

    private var facts: String {
        var facts: [(String, String)] = []
        if let best = run.best {
            facts.append((Readable.metric(best.value), "best \(best.metric), checkpoint \(best.checkpoint)"))
        }
        facts.append((run.endEpoch.map { "\(run.epochs) of \($0)" } ?? "\(run.epochs)", "epochs"))
        facts.append((Readable.duration(run.seconds), "training and validation"))
        let rates = epochs.map(\.samplesPerSecond).filter(\.isFinite).sorted()
        if !rates.isEmpty { facts.append((Readable.rate(rates[rates.count / 2]), "images a second")) }
        if let layers { facts.append((Readable.scaled(Double(layers.parameters)), "parameters")) }
        for (name, value) in (results?.testTimeViews ?? [:]).sorted(by: { $0.key < $1.key }) {
            facts.append((Readable.metric(value), "\(name), several views of each image"))
        }
        let items = facts.map { "<div><b>\(PageText.text($0.0))</b><span>\(PageText.text($0.1))</span></div>" }
        return "<div class=\"facts\">\(items.joined())</div>"
    }
}
