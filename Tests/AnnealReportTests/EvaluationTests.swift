import AnnealCore
import AnnealData
import AnnealReport
import AnnealTrain
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

struct EvaluationTests {
    /// `counts[label][predicted]` samples.
    private static func matrix(_ counts: [[Int]]) throws -> ConfusionMatrix {
        let classes = counts.count
        var matrix = ConfusionMatrix(classes: classes)
        for (label, row) in counts.enumerated() {
            for (predicted, count) in row.enumerated() where count > 0 {
                let labels = Array(repeating: Float(label), count: count)
                let outputs = (0..<count).flatMap { _ in (0..<classes).map { $0 == predicted ? Float(1) : 0 } }
                try labels.withUnsafeBufferPointer { labels in
                    try outputs.withUnsafeBufferPointer {
                        try matrix.update(MetricBatch(labels: labels, outputs: $0, rows: count, classes: classes))
                    }
                }
            }
        }
        return matrix
    }

    /// One confusion per class.
    private static func large(_ classes: Int) throws -> ConfusionMatrix {
        try matrix(
            (0..<classes).map { label in
                var row = Array(repeating: 0, count: classes)
                row[label] = 3
                row[(label * 7 + 1) % classes] += 1
                return row
            })
    }

    private func report() throws -> EvaluationReport {
        EvaluationReport(
            title: "m on v", classNames: ["cat", "n02012849 crane, \"bird\"", "dog"],
            matrix: try Self.matrix([[3, 1, 0], [0, 0, 0], [1, 0, 3]]),
            metrics: [MetricValue(name: "accuracy", value: 0.75), MetricValue(name: "cross-entropy", value: .nan)])
    }

    /// Names that a spreadsheet would evaluate or a terminal would obey.
    @Test func hostileNames() throws {
        let report = EvaluationReport(
            title: "", classNames: ["=1+1", "-0.28", "@a\u{1B}[2J", "-x"],
            matrix: try Self.matrix([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), metrics: [])
        let cells = report.classesCSV().split(separator: "\n").dropFirst().map { $0.split(separator: ",")[1] }
        #expect(cells == ["'=1+1", "-0.28", "'@a\u{1B}[2J", "'-x"])
        #expect(report.confusionCSV().hasPrefix("true class / predicted,'=1+1,-0.28,'@a\u{1B}[2J,'-x\n'=1+1,1,0,0,0\n"))
        #expect(report.table()[3].hasPrefix("@a\\u001b[2J "))
    }

    @Test func tables() throws {
        let report = try report()
        #expect(
            report.confusionCSV() == """
                true class / predicted,cat,"n02012849 crane, ""bird\""",dog
                cat,3,1,0
                "n02012849 crane, ""bird\""",0,0,0
                dog,1,0,3

                """)
        // A class without images has no shares.
        #expect(
            report.confusionCSV(normalized: true) == """
                true class / predicted,cat,"n02012849 crane, ""bird\""",dog
                cat,0.75,0.25,0.0
                "n02012849 crane, ""bird\""",,,
                dog,0.25,0.0,0.75

                """)
        #expect(
            report.classesCSV() == """
                label,class,images,predicted,correct,recall,precision,f1
                0,cat,4,4,3,0.75,0.75,0.75
                1,"n02012849 crane, ""bird\""",0,1,0,,0.0,0.0
                2,dog,4,3,3,0.75,1.0,0.8571428571428571

                """)
        let lines = report.table()
        #expect(lines[1] == "cat                           4        3  0.7500     0.7500  0.7500")
        #expect(lines[2].contains("     0        0       -     0.0000  0.0000"))
        #expect(lines[4].hasPrefix("mean") && lines[4].hasSuffix("  0.7500     0.8750  0.8036"))
        #expect(Set(lines.map(\.count)).count == 1)
    }

    @Test func ofManyClassesTheWorst() throws {
        let classes = 40
        var counts = (0..<classes).map { label in (0..<classes).map { $0 == label ? 4 : 0 } }
        for label in 20..<30 { counts[label][0] = label - 19 }
        let report = EvaluationReport(
            title: "", classNames: (0..<classes).map { "c\($0)" }, matrix: try Self.matrix(counts), metrics: [])
        let lines = report.table()
        #expect(lines.count == 13 && lines[0].contains("40 classes"))
        #expect(lines[2...11].map { $0.prefix(3) } == (20..<30).reversed().map { "c\($0)" })
    }

    @Test func writesItsFiles() throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.file("out"), occupied: .resume)
        let run = ScoredRun(
            model: "m-0001.params", data: "v.rec", images: 8, skipped: 1,
            preprocessing: Preprocessing(imageShape: [1, 2, 2], mean: [0], std: [1]), commandLine: ["anneal", "score"],
            version: "1", date: Date(timeIntervalSince1970: 0))
        try report().write(to: folder, run: run)
        let matrices = ["csv", "svg", "png"].flatMap { ["confusion.\($0)", "confusion-normalized.\($0)"] }
        for name in ["classes.csv"] + matrices {
            #expect(try Files.read(folder.file(name)).count > 50, "\(name)")
        }
        let json = try #require(
            try JSONSerialization.jsonObject(with: Files.read(folder.score)) as? [String: Any])
        #expect((json["metrics"] as? [String: Any])?["accuracy"] as? Double == 0.75)
        #expect((json["metrics"] as? [String: Any])?["cross-entropy"] as? String == "nan")
        #expect((json["class_means"] as? [String: Double])?["recall"] == 0.75)
        #expect((json["run"] as? [String: Any])?["images"] as? Int == 8)
        // Such a folder belongs to a run: another one does not use it by accident.
        #expect(RunFolder.holdsRun(folder.path))
    }

    @Test func aRowForEachImage() throws {
        let folder = try TemporaryFolder()
        let answers = [
            Answer(number: 4, label: 1, predicted: 0, probability: 0.75, labelProbability: 0.25),
            Answer(number: 7, label: 0, predicted: nil, probability: .nan, labelProbability: .nan),
        ]
        try AnswerTable(answers, classNames: ["cat", "a, b"]).write(to: folder.file("p.csv")) { "images/\($0).jpg" }
        #expect(
            try folder.text("p.csv") == """
                image,label,class,predicted,predicted_class,probability,label_probability
                images/4.jpg,1,"a, b",0,cat,0.75,0.25
                images/7.jpg,0,cat,,,nan,nan

                """)
    }

    @Test func namesInTablesAreNotComputed() throws {
        let folder = try TemporaryFolder()
        let answer = Answer(number: 0, label: 1, predicted: 0, probability: 0.75, labelProbability: 0.25)
        try AnswerTable([answer], classNames: ["=cmd", "-1"]).write(to: folder.file("p.csv")) { _ in "@x.png" }
        #expect(try folder.text("p.csv").split(separator: "\n").last == "'@x.png,1,-1,0,'=cmd,0.75,0.25")
    }

    @Test func longNamesStayDifferent() throws {
        let canvas = try Canvas(width: 10, height: 10, format: .svg), font = Canvas.Font(10)
        let names = (1...3).map { "class_with_a_rather_long_name_\($0)" }
        let cut = names.map { canvas.fitted($0, font, room: 80, losing: .middle) }
        #expect(Set(cut).count == 3 && cut[0].hasPrefix("cl") && cut[0].hasSuffix("_1") && cut[0].contains("…"))
        let path = canvas.fitted("some/folder/of/images/011.png", font, room: 80, losing: .beginning)
        #expect(path.hasPrefix("…") && path.hasSuffix("/011.png"))
        #expect(canvas.fitted("0.5 cat", font, room: 200, losing: .middle) == "0.5 cat")
    }

    @Test func sheetsShowTheirPictures() throws {
        let red = ContactSheet.Picture(rgb: [255, 0, 0, 0, 0, 255], width: 2, height: 1)
        let sheet = ContactSheet(
            title: "Pictures", subtitle: "red and blue", columnNames: ["a", "b", "c", "d", "e"],
            rows: (0..<3).map { row in
                .init(name: ["row \(row)", "cat"], cells: (0..<5).map { .init(red, caption: ["caption \($0)"]) })
            })
        let decoded = try ImageDecoder().decode([UInt8](sheet.png()))
        func count(_ pixel: [UInt8]) -> Int {
            stride(from: 0, to: decoded.pixels.count, by: 3).filter { Array(decoded.pixels[$0..<$0 + 3]) == pixel }
                .count
        }
        // 15 pictures of two pixels, each a square of 96 pixels.
        #expect(count([255, 0, 0]) == 15 * 96 * 96 && count([0, 0, 255]) == 15 * 96 * 96)
        if let folder = ProcessInfo.processInfo.environment["ANNEAL_CHARTS"] {
            try sheet.png().write(to: URL(fileURLWithPath: "\(folder)/sheet.png"))
        }
        let large = ContactSheet.Cell(.init(rgb: Array(repeating: 0, count: 3 << 20), width: 1024, height: 1024))
        let huge = ContactSheet(
            title: "", subtitle: "", rows: Array(repeating: .init(cells: Array(repeating: large, count: 20)), count: 20)
        )
        let error = #expect(throws: AnnealError.self) { try huge.png() }
        #expect(error?.suggestion == "show fewer images")
    }

    /// Set ANNEAL_CHARTS to a folder to keep the pictures and look at them.
    @Test(arguments: [1, 2, 10, 26, 61, 1000, 1500]) func drawsAnyNumberOfClasses(_ classes: Int) throws {
        let names = (0..<classes).map { classes < 20 ? "class \($0)" : "n\(10_000_000 + $0) some long name of a class" }
        let chart = ConfusionChart(
            title: "resnet-20 on val.rec", subtitle: "10,000 images  ·  accuracy 0.9186",
            matrix: try Self.large(classes), classNames: names)
        let svg = try chart.svg()
        let png = try chart.png()
        if let folder = ProcessInfo.processInfo.environment["ANNEAL_CHARTS"] {
            try svg.write(to: URL(fileURLWithPath: "\(folder)/confusion-\(classes).svg"))
            try png.write(to: URL(fileURLWithPath: "\(folder)/confusion-\(classes).png"))
        }
        #expect(XMLParser(data: svg).parse())
        #expect(svg.count < 3_000_000)
        let size = try #require(try DecodedPNG(png, in: TemporaryFolder()))
        #expect(size.inked > 300)
        #expect(size.width >= 720 && size.width < 2600)
        #expect(try chart.png() == png && chart.svg() == svg)
    }
}
