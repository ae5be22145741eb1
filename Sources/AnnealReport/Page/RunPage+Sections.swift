import AnnealCore
import AnnealTrain
import Foundation

/// The sections of a run's page as HTML; nil for one that has nothing to show.
extension RunPage {
    private static let tabledEpochs = 200
    private static let matrixClasses = 25
    private static let tabledClasses = 100
    private static let tabledLayers = 300

    var curves: String? {
        guard !epochs.isEmpty else {
            return run.epochs > 0
                ? "<p>No epoch can be read from metrics.jsonl: the file is missing or damaged.</p>"
                : run.state == .running ? "<p>No epoch is over yet.</p>" : "<p>No epoch was completed.</p>"
        }
        let figures = PagePanel.panels(epochs).enumerated().map { number, panel in
            """
            <figure><figcaption>\(PageText.text(panel.title))</figcaption>
            <div class="chart" data-panel="\(number)"></div></figure>
            """
        }
        return """
            <p class="quiet">With a curve in focus, the arrow keys move from epoch to epoch.</p>
            \(figures.joined(separator: "\n"))
            <details><summary>Numbers</summary>\(epochTable)</details>
            """
    }

    private var epochTable: String {
        let training = epochs[0].training.map(\.name), validation = epochs[0].validation.map(\.name)
        let header =
            ["checkpoint"] + training.map { "training \($0)" } + validation.map { "validation \($0)" }
            + ["learning rate", "seconds", "images/s"]
        func values(_ metrics: [MetricValue], _ names: [String]) -> [String] {
            names.map { name in metrics.first { $0.name == name }.map { Readable.metric($0.value) } ?? "-" }
        }
        let rows = epochs.suffix(Self.tabledEpochs).map { epoch in
            ["\(epoch.epoch + 1)"] + values(epoch.training, training) + values(epoch.validation, validation) + [
                Readable.general(epoch.learningRate), LogGrammar.fixed(epoch.wholeSeconds, 1),
                Readable.rate(epoch.samplesPerSecond),
            ]
        }
        let note = epochs.count > rows.count ? "<p class=\"quiet\">The last \(rows.count) of \(epochs.count).</p>" : ""
        return note + PageText.table(header, rows, right: Set(header.indices))
    }

    var classes: String? {
        guard let evaluation else { return nil }
        let scores = evaluation.scores
        func share(_ value: Double?) -> String { value.map { LogGrammar.fixed($0, 4) } ?? "-" }
        let order = scores.indices.sorted { (scores[$0].recall ?? 2, $0) < (scores[$1].recall ?? 2, $1) }
        let isCut = order.count > Self.tabledClasses
        let shown = isCut ? Array(order.prefix(Self.tabledClasses)) : Array(scores.indices)
        let rows = shown.map { label in
            [
                evaluation.classNames[label], "\(scores[label].images)", share(scores[label].recall),
                share(scores[label].precision), share(scores[label].f1),
            ]
        }
        let which = isCut ? "The \(rows.count) of \(order.count) classes with the lowest recall" : "Every class"
        return """
            <p class="quiet">\(which), of checkpoint \(evaluation.checkpoint) on \
            \(Readable.count(evaluation.images)) validation images.</p>
            \(PageText.table(["class", "images", "recall", "precision", "F1"], rows, right: [1, 2, 3, 4]))
            <h3>Confusions</h3>
            \(evaluation.classNames.count <= Self.matrixClasses ? matrix(evaluation) : confusions(evaluation))
            """
    }

    /// One row per true class, one column per predicted class.
    private func matrix(_ evaluation: EvaluationRecord) -> String {
        let names = evaluation.classNames.map(PageText.text), images = evaluation.scores.map(\.images)
        var counts: [Int: Int] = [:]
        for pair in evaluation.confusion { counts[pair[0] * names.count + pair[1], default: 0] += pair[2] }
        let header = names.map { "<th scope=\"col\">\($0)</th>" }.joined()
        let rows = names.indices.map { label in
            let cells = names.indices.map { predicted in
                let count = counts[label * names.count + predicted] ?? 0
                guard count > 0 else { return "<td></td>" }
                // The square root makes rare confusions visible.
                let part = (Double(count) / Double(max(1, images[label]))).squareRoot()
                let shade = "class=\"\(label == predicted ? "g" : "b")\" style=\"--P:\(Int(8 + part * 60))%\""
                return "<td \(shade)>\(count)</td>"
            }
            return "<tr><th scope=\"row\">\(names[label])</th>\(cells.joined())</tr>"
        }
        return """
            <p class="quiet">A row is a true class, a column what the model said.</p>
            <div class="wide matrix" tabindex="0" role="region" aria-label="Confusion matrix"><table>
            <thead><tr><th></th>\(header)</tr></thead><tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></div>
            """
    }

    /// With many classes, the pairs that are confused most.
    private func confusions(_ evaluation: EvaluationRecord) -> String {
        let wrong = evaluation.confusion.filter { $0[0] != $0[1] }.sorted {
            ($1[2], $0[0], $0[1]) < ($0[2], $1[0], $1[1])
        }
        let rows = wrong.prefix(50).map { pair in
            [evaluation.classNames[pair[0]], evaluation.classNames[pair[1]], "\(pair[2])"]
        }
        return PageText.table(["true class", "predicted class", "images"], rows, right: [2])
    }

    private func figure(_ picture: RunPictures.Picture, _ lines: [String]) -> String {
        let text = lines.map(PageText.text).joined(separator: "<br>")
        return """
            <figure><img src="data:image/png;base64,\(picture.png.base64EncodedString())" \
            alt="\(PageText.text(picture.label))" title="\(PageText.text(picture.name))" loading="lazy">
            <figcaption>\(text)</figcaption></figure>
            """
    }

    var worst: String? {
        guard let pictures, !pictures.worst.isEmpty else { return nil }
        func share(_ value: Double?) -> String { value.map { LogGrammar.fixed($0, 2) } ?? "-" }
        let figures = pictures.worst.map { picture in
            figure(
                picture,
                [
                    "is \(picture.label) (\(share(picture.labelProbability)))",
                    "said \(picture.predicted ?? "nothing") (\(share(picture.probability)))",
                ])
        }
        return """
            <p class="quiet">\(figures.count) of \(Readable.count(pictures.wrong)) wrong validation images: those whose true \
            class got the lowest probability.</p>
            <div class="pictures">\(figures.joined(separator: "\n"))</div>
            """
    }

    var training: String? {
        guard let pictures, !pictures.training.isEmpty else { return nil }
        return """
            <p class="quiet">As training sees them in the first epoch, augmentation included.</p>
            <div class="pictures">\(pictures.training.map { figure($0, [$0.label]) }.joined(separator: "\n"))</div>
            """
    }

    var settings: String? {
        guard let record = run.record else { return nil }
        let rows = record.arguments.sorted { $0.key < $1.key }.map { ["--\($0.key)", $0.value.text] }
        let machine = [
            ["version", record.version], ["started", record.date.formatted(.iso8601)],
            ["working folder", record.workingFolder], ["processor", record.machine.processor],
            ["cores", "\(record.machine.cores)"], ["threads", "\(record.threads)"],
            ["memory", "\(Readable.count(Int(clamping: record.machine.memoryBytes >> 20))) MB"],
            ["system", record.machine.system],
        ]
        return "<details><summary>All flags in force</summary>\(PageText.table(["flag", "value"], rows))</details>\n"
            + "<details><summary>Machine</summary>\(PageText.table(["what", "value"], machine))</details>"
    }

    var layerTable: String? {
        guard let layers else { return nil }
        let rows = layers.layers.prefix(Self.tabledLayers).map { layer in
            [
                layer.name, layer.operation, layer.output.map(String.init).joined(separator: "x"),
                layer.parameters == 0 ? "" : Readable.count(layer.parameters),
                layer.multiplyAdds == 0 ? "" : Readable.scaled(layer.multiplyAdds),
            ]
        }
        let more = layers.layers.count > rows.count ? ", the first \(rows.count) of \(layers.layers.count)" : ""
        let table = PageText.table(
            ["layer", "operator", "output", "parameters", "multiply-adds"], rows, right: [2, 3, 4])
        return """
            <details><summary>\(PageText.text(layers.network)): \(Readable.count(layers.parameters)) parameters, \
            \(Readable.scaled(layers.multiplyAdds)) multiply-adds an image\(more)</summary>
            \(table)</details>
            """
    }

    var profileTables: String? {
        guard let profile, profile.seconds > 0 else { return nil }
        func table(_ rows: [RunProfile.Row], _ first: String) -> String {
            PageText.table(
                [first, "calls", "ms", "share", "GFLOP/s"],
                rows.map { row in
                    [
                        row.name, LogGrammar.fixed(row.calls, 0), LogGrammar.fixed(row.seconds * 1000, 3),
                        "\(LogGrammar.fixed(row.seconds / profile.seconds * 100, 1)) %",
                        row.flops > 0 && row.seconds > 0 ? LogGrammar.fixed(row.flops / row.seconds * 1e-9, 1) : "",
                    ]
                }, right: [1, 2, 3, 4])
        }
        return """
            <p class="quiet">A step took \(LogGrammar.fixed(profile.seconds * 1000, 1)) ms, the mean of \
            \(profile.steps.counted("step")) near the run's beginning.</p>
            <details><summary>By operation</summary>\(table(profile.kinds, "operation"))</details>
            <details><summary>By layer</summary>\(table(profile.layers, "layer and operation"))</details>
            """
    }

    var logText: String? {
        guard !log.isEmpty else { return nil }
        return """
            <details><summary>\(logCut > 0 ? "Beginning and end" : "All lines")</summary>
            <pre tabindex="0">\(PageText.text(log.joined(separator: "\n")))</pre></details>
            """
    }
}
