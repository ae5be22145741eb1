import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation
import Testing

/// The page of a run and its model card.
@Suite struct RunPageTests {
    private static let evil =
        "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" ' & \u{202E}txt\u{1B}[31m"

    private func makeRun(_ temporary: TemporaryFolder, epochs: [EpochReport], classes: [String] = ["cat", "dog"]) throws
        -> RunFolder
    {
        let folder = try RunFolder.open(
            temporary.file("run \(Self.evil.prefix(8).replacing("/", with: "_"))"), occupied: .refuse)
        try folder.write(
            RunRecord(
                command: "train", commandLine: ["anneal", "train", "--data-train", Self.evil],
                arguments: [
                    "data-train": .string(Self.evil), "network": "resnet", "lr": 0.1,
                    "num-epochs": .integer(epochs.count),
                ],
                version: "anneal 0.2.0", threads: 2, date: Date(timeIntervalSince1970: 1_790_000_000),
                workingFolder: "/w",
                machine: Machine(host: "h", system: "s", processor: "p", cores: 2, memoryBytes: 1 << 30),
                data: ["training": DataFingerprint(kind: .records, count: 60, bytes: 9, parts: [:])]))
        let log = try TextLog(path: folder.log), metrics = MetricsJSONL(path: folder.metricsJSONL)
        let status = StatusWriter(folder: folder),
            answers = ValidationAnswers(folder: folder, classNames: classes) { "i\($0)" }
        let observers: [any FitObserver] = [log, metrics, status, answers]
        func tell(_ event: FitEvent) throws { for observer in observers { try observer.receive(event) } }
        try tell(Sample.start(end: epochs.count))
        try tell(.warning(Self.evil))
        for report in epochs {
            let labels = (0..<40).map { Float($0 % classes.count) }
            let outputs = (0..<(40 * classes.count)).map { Float($0 % 7) / 7 }
            labels.withUnsafeBufferPointer { labels in
                outputs.withUnsafeBufferPointer { outputs in
                    answers.add(
                        MetricBatch(labels: labels, outputs: outputs, rows: 40, classes: classes.count),
                        numbers: Array(0..<40))
                }
            }
            try tell(.epoch(report))
        }
        try tell(Sample.finished)
        return folder
    }

    private func page(_ folder: RunFolder) throws -> String {
        String(decoding: try RunPage(inFolder: folder.path).html(), as: UTF8.self)
    }

    @Test func whatComesFromOutsideIsText() throws {
        let temporary = try TemporaryFolder()
        let folder = try makeRun(temporary, epochs: Sample.run(3), classes: [Self.evil, "dog"])
        let png = Data([0x89, 0x50, 0x4E, 0x47, 1])
        let picture = RunPictures.Picture(name: Self.evil, label: Self.evil, predicted: Self.evil, png: png)
        let fake = RunPictures.Picture(name: "x", label: "fake", png: Data("<svg onload=alert(3)>".utf8))
        try RunPictures(worst: [picture, fake], wrong: 2, training: [picture]).write(to: folder)
        let row = RunProfile.Row(name: Self.evil, calls: 2, seconds: 0.004, flops: 2e6)
        try RunProfile(steps: 5, seconds: 0.016, kinds: [row], layers: [row]).write(to: folder)
        let html = try page(folder)
        #expect(!html.contains("<script>alert") && !html.contains("<img src=x") && !html.contains("\u{202E}"))
        #expect(!html.contains("\u{1B}") && html.contains("&lt;/script&gt;&lt;script&gt;alert(1)"))
        // 2 MFLOP in 4 ms of 16.
        #expect(html.contains("<td class=\"n\">4.000</td><td class=\"n\">25.0 %</td><td class=\"n\">0.5</td>"))
        // Only our own elements: a script that runs, and its data.
        #expect(
            html.components(separatedBy: "<script").count == 3 && html.components(separatedBy: "</script>").count == 3)
        #expect(html.components(separatedBy: "<img ").count == 3 && !html.contains(">is fake"))
        // Nothing is loaded from elsewhere.
        for text in ["http://", "https://", "src=\"/", "url(", "@import", "<link"] {
            let found = html.replacing("http://www.w3.org/2000/svg", with: "").contains(text)
            #expect(!found, "\(text)")
        }
        // In a code block nothing is markup.
        let card = ModelCard(inFolder: folder.path).markdown.replacing(/(?s)```sh\n.*?\n```/, with: "")
        // A backslash turns what would be an element into text.
        let elements = card.matches(of: /<(script|img)/).filter { found in
            found.range.lowerBound == card.startIndex || card[card.index(before: found.range.lowerBound)] != "\\"
        }
        #expect(elements.isEmpty && card.contains(#"\<script\>alert\(1\)"#), "\(card)")
    }

    /// The policy allows the page's script by its hash: sha256 in base64, computed here by the system's tool.
    @Test func theScriptIsTheOneThatIsAllowed() throws {
        let temporary = try TemporaryFolder()
        let html = try page(try makeRun(temporary, epochs: Sample.run(2)))
        let script = try #require(
            html.components(separatedBy: "<script>").last?.components(separatedBy: "</script>").first)
        try script.write(toFile: temporary.file("s.js"), atomically: true, encoding: .utf8)
        let process = Process(), pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        process.arguments = [temporary.file("s.js")]
        process.standardOutput = pipe
        try process.run()
        let digits = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).prefix(64)
        process.waitUntilExit()
        let bytes = stride(from: 0, to: 64, by: 2).compactMap { place in
            UInt8(digits.dropFirst(place).prefix(2), radix: 16)
        }
        #expect(html.contains("'sha256-\(Data(bytes).base64EncodedString())'"))
    }

    @Test(arguments: [300, 20_000]) func pagesStaySmall(_ count: Int) throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.file("run"), occupied: .refuse)
        let lines = Sample.run(count).map { MetricsJSONL.line($0) + "\n" }.joined()
        try lines.write(toFile: folder.metricsJSONL, atomically: true, encoding: .utf8)
        let classes = (0..<1000).map { "class \($0)" }
        let record: [String: JSONValue] = [
            "checkpoint": 1, "images": 1000, "metrics": [:], "classes": .array(classes.map(JSONValue.string)),
            "confusion": .array((0..<1000).map { [.integer($0), .integer(($0 * 7) % 1000), 1] }),
        ]
        try JSONValue.object(record).encoded()
            .write(toFile: folder.file("evaluation.json"), atomically: true, encoding: .utf8)
        let html = try page(folder)
        #expect(html.utf8.count < 300_000, "\(html.utf8.count)")
        #expect(html.contains("The 100 of 1000 classes with the lowest recall"))
    }

    /// No peak is lost when points are left out, and the ends stay.
    @Test func thinning() {
        var points = (0..<100_000).map { (Double($0 + 1), 0.5) }
        points[77_777].1 = 0.9
        points[40_000].1 = .nan
        let series = PagePanel.thinned("x", points)
        #expect(series.x.count <= 1201 && series.x.first == 1 && series.x.last == 100_000)
        let peak = series.x.firstIndex(of: 77_778)
        #expect(peak != nil && series.y[peak ?? 0] == 0.9)
        let short = PagePanel.thinned("x", [(1, .infinity), (2, 1.0 / 3)])
        #expect(short.x == [1, 2] && short.y == [nil, 0.333333])
    }

    /// Also for a folder with hardly any files.
    @Test func halfWrittenRuns() throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.file("run"), occupied: .refuse)
        for (name, text) in [
            ("arguments.json", "{\"command\""), ("metrics.jsonl", "{\"event\":\"ep"), ("log.txt", "INFO:root:beg"),
            ("evaluation.json", #"{"checkpoint":1,"images":1,"metrics":{},"classes":["a"],"confusion":[[0,5,1]]}"#),
            ("pictures.json", "[]"), ("layers.json", "{}"), ("results.json", ""), ("profile.json", "{\"steps\":"),
        ] { try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8) }
        let html = try page(folder)
        #expect(html.contains("No epoch was completed") && html.contains("arguments.json"))
        #expect(!ModelCard(inFolder: folder.path).markdown.isEmpty)
    }

    /// A card that a person has edited is not replaced.
    @Test func cardsArePeoples() throws {
        let temporary = try TemporaryFolder()
        let folder = try makeRun(temporary, epochs: Sample.run(2))
        try ModelCard(inFolder: folder.path).write()
        let path = folder.file("README.md"), card = try String(contentsOfFile: path, encoding: .utf8)
        for text in [
            "## Data", "| training | ", "## Results", "| best validation accuracy | ", "## Classes", "| cat | 20 |",
            "--lr",
        ] {
            #expect(card.contains(text) || card.contains(text.replacing("--", with: "\\-\\-")), "\(text) \(card)")
        }
        // Held-out images are part of the training data, and counted once.
        var record = try RunRecord.read(folder.arguments)
        record.arguments["data-train"] = "a/all.rec"
        record.arguments["data-val"] = nil
        record.arguments["val-split"] = 0.25
        record.data = ["training", "validation"].reduce(into: [:]) {
            $0[$1] = DataFingerprint(kind: .records, count: 1000, bytes: 1, parts: [:])
        }
        try folder.write(record)
        let images = try #require(EvaluationRecord.read(inFolder: folder.path)).images
        let split = ModelCard(inFolder: folder.path).markdown
        #expect(split.contains("| training | all.rec, the rest | \(1000 - images) |"), "\(split)")
        #expect(split.contains("| validation | all.rec, 0.25 of it | \(images) |"), "\(split)")
        try "# Mine\n".write(toFile: path, atomically: true, encoding: .utf8)
        try ModelCard(inFolder: folder.path).write()
        #expect(throws: AnnealError.self) { try ModelCard(inFolder: folder.path).write(to: path) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "# Mine\n")
        // Elsewhere it names the run's folder.
        let other = temporary.file("card.md")
        try ModelCard(inFolder: folder.path).write(to: other)
        let elsewhere = try String(contentsOfFile: other, encoding: .utf8)
        #expect(elsewhere.contains("\(folder.path)") && !elsewhere.contains("--model . "), "\(elsewhere)")
        #expect(card.contains("predict --model . --load-epoch"))
    }
}
