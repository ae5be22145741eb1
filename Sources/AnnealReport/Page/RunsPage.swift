import AnnealCore
import AnnealTrain
import Foundation

/// The pages that a server shows for a folder of runs. Their links are `/`, `/run?name=…`, `/compare?run=…&run=…` and
/// `/events?name=…`.
public enum RunsPage {
    /// All runs, with checkboxes to compare them.
    public static func index(_ runs: [RunSummary], folder: String) -> Data {
        let rows = runs.map { run in
            let name = PageText.text(run.name)
            let best =
                run.best.map { "\(Readable.metric($0.value)) <span class=\"quiet\">at \($0.checkpoint)</span>" } ?? "-"
            return """
                <tr><td><input type="checkbox" name="run" value="\(name)" aria-label="Compare \(name)"></td>
                <td><a href="/run?name=\(address(run.name))">\(name)</a></td>
                <td><span class="state \(run.state.rawValue)">\(run.state.rawValue)</span></td><td class="n">\(best)</td>
                <td class="n">\(run.epochs)\(run.endEpoch.map { "/\($0)" } ?? "")</td>
                <td class="n">\(PageText.text(Readable.duration(run.seconds)))</td>
                <td><code>\(PageText.text(String(run.commandLine.dropFirst("anneal ".count).prefix(300))))</code></td></tr>
                """
        }
        let list = """
            <form action="/compare" method="get">
            <p><button type="submit">Compare the marked runs</button>
            <label>Find <input type="search" id="find" autocomplete="off"></label></p>
            <div class="wide" tabindex="0" role="region" aria-label="Runs"><table id="runs"><thead><tr><th></th>
            <th scope="col">run</th><th scope="col">state</th><th scope="col" class="n">best</th>
            <th scope="col" class="n">epochs</th><th scope="col" class="n">time</th><th scope="col">command</th></tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></div></form>
            """
        let body = """
            <header><h1>Runs</h1><p class="quiet">\(PageText.text(folder)), \(runs.count.counted("run"))</p></header>
            <main>\(runs.isEmpty ? "<p>No run is there yet.</p>" : list)</main>
            """
        return Data(PageText.page(title: "Runs", body: body, data: [], script: PageScript.index, isServed: true).utf8)
    }

    /// Several runs side by side: their curves in shared panels, settings that differ, results, and McNemar's test.
    public static func comparison(_ runs: [RunSummary]) throws -> Data {
        let table = RunTable(runs)
        let names = runs.map(\.name)
        let panels = comparedPanels(runs)
        let figures = panels.enumerated().map { number, panel in
            """
            <figure><figcaption>\(PageText.text(panel.title))</figcaption>
            <div class="chart" data-panel="\(number)"></div></figure>
            """
        }
        func rows(_ rows: [RunTable.Row], _ title: String) -> String {
            guard !rows.isEmpty else { return "<p>The same in all.</p>" }
            return PageText.table([title] + names, rows.map { [$0.name] + $0.values })
        }
        let body = """
            <header><h1>Comparison</h1><p><a href="/">All runs</a></p></header>
            <main><section><h2>Curves</h2>\(figures.joined(separator: "\n"))</section>
            <section><h2>Settings that differ</h2>\(rows(table.settings, "setting"))</section>
            <section><h2>Results</h2>\(rows(table.results, "result"))</section>
            <section><h2>On the same images</h2>\(tests(runs))</section></main>
            """
        return Data(
            PageText.page(
                title: "Comparison", body: body, data: [("curves-data", try PageText.json(panels))],
                script: PageScript.run,
                isServed: true
            ).utf8)
    }

    /// A line of text, e.g. that there is no such run.
    public static func message(_ title: String, _ text: String) -> Data {
        let body =
            "<header><h1>\(PageText.text(title))</h1></header><main><p>\(PageText.text(text))</p>"
            + "<p><a href=\"/\">All runs</a></p></main>"
        return Data(PageText.page(title: title, body: body, data: [], script: "", isServed: true).utf8)
    }

    /// Validation of each run, or training if it has none.
    private static func comparedPanels(_ runs: [RunSummary]) -> [PagePanel] {
        let histories = runs.map { RunHistory.readable(RunFolder(existing: $0.path).metricsJSONL) }
        func metrics(_ epochs: [EpochReport]) -> [[MetricValue]] {
            let validates = epochs.contains { !$0.validation.isEmpty }
            return epochs.map { validates ? $0.validation : $0.training }
        }
        let names = histories.reduce(into: Set<String>()) { $0.formUnion(metrics($1).first?.map(\.name) ?? []) }
        let ordered = names.sorted { ($0 == "accuracy" ? 0 : 1, $0) < ($1 == "accuracy" ? 0 : 1, $1) }
        return ordered.map { name in
            let isAccuracy = name == "accuracy" || name.hasPrefix("top_k_accuracy_")
            let series = zip(runs, histories).map { run, epochs in
                let points = zip(epochs, metrics(epochs)).compactMap { epoch, values in
                    values.first { $0.name == name }.map { (Double(epoch.epoch + 1), $0.value) }
                }
                return PagePanel.thinned(run.name, points)
            }
            return PagePanel(
                title: "Validation \(name)", series: series, log: isAccuracy ? nil : 100, floor: isAccuracy ? 0 : nil,
                ceiling: isAccuracy ? 1 : nil, height: 260)
        }
    }

    private static func tests(_ runs: [RunSummary]) -> String {
        guard let first = runs.first else { return "" }
        let rows = runs.dropFirst().map { run -> [String] in
            func answers(_ run: RunSummary) throws -> AnswerFile {
                try AnswerFile(RunFolder(existing: run.path).file("predictions.csv"))
            }
            do {
                let test = try McNemar(answers(first), answers(run))
                let points = LogGrammar.fixed(test.difference * 100, 2), p = test.pValue
                return [
                    run.name, "\(test.images)", "\(test.onlyFirst)", "\(test.onlySecond)", "\(points) points",
                    p < 0.0001 ? "below 0.0001" : LogGrammar.fixed(p, 4),
                ]
            } catch {
                return [run.name, "-", "-", "-", "-", "\(error)"]
            }
        }
        return "<p class=\"quiet\">Against \(PageText.text(first.name)), McNemar's exact test.</p>"
            + PageText.table(
                ["run", "images", "only first right", "only this right", "accuracy", "p"], rows, right: [1, 2, 3, 4])
    }

    /// For a query in a URL.
    static func address(_ text: String) -> String {
        text.addingPercentEncoding(
            withAllowedCharacters: CharacterSet(
                charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"))
            ?? ""
    }
}

/// The updates that a run's page receives while the run trains.
public enum RunEvents {
    /// One JSON object: the run's progress and its curves.
    public static func json(inFolder folder: String) throws -> String {
        struct Event: Encodable {
            var state: String
            var text: String
            var panels: [PagePanel]
        }
        let run = RunSummary(folder, name: "")
        let epochs = RunHistory.readable(RunFolder(existing: folder).metricsJSONL)
        return try PageText.json(Event(state: run.state.rawValue, text: line(run), panels: PagePanel.panels(epochs)))
    }

    private static func line(_ run: RunSummary) -> String {
        guard let status = run.status, run.state == .running else {
            return "\(run.epochs.counted("epoch")) in \(Readable.duration(run.seconds))"
        }
        var parts = ["epoch \(min(status.epochs + 1, status.endEpoch)) of \(status.endEpoch)"]
        parts.append("\(status.isValidating ? "validation" : "batch") \(status.batch) of \(status.batches)")
        if let rate = status.samplesPerSecond { parts.append("\(Readable.rate(rate)) images/s") }
        if let left = status.secondsLeft { parts.append("\(Readable.duration(left)) left") }
        parts += status.metrics.map { "\($0.name) \($0.value.map(Readable.metric) ?? "nan")" }
        if let best = status.best { parts.append("best \(best.metric) \(Readable.metric(best.value))") }
        return parts.joined(separator: ", ")
    }

    /// Changes when there is something new to send.
    public static func stamp(inFolder folder: String) -> String {
        let files = RunFolder(existing: folder)
        return [files.status, files.metricsJSONL].map { path in
            var info = stat()
            guard Files.withPath(path, { stat($0, &info) }) == 0 else { return "-" }
            return "\(info.st_ino) \(info.st_size) \(info.st_mtim.tv_sec) \(info.st_mtim.tv_nsec)"
        }.joined(separator: ", ")
    }
}
