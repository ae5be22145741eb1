import Anneal
import Foundation
import Testing

/// Folders of classes, class names, `score` per class, and `predict`.
@Suite struct PredictTests {
    static let classes = ["bird", "cat", "dog"]

    /// A model trained for an epoch on a folder of classes.
    private func trained(_ more: [String] = []) throws -> Tool {
        let tool = try Tool()
        try tool.writeFolder("train", count: 90, classes: Self.classes)
        try tool.writeFolder("val", count: 45, classes: Self.classes)
        try tool.writeRecords("val", count: 45)
        let result = try tool.run(
            [
                "train", "--network", "mlp", "--image-shape", "1,12,12", "--data-train", "train", "--data-val", "val",
                "--rgb-mean", "100", "--rgb-std", "60", "--batch-size", "32", "--num-epochs", "1", "--lr", "0.02",
                "--model-prefix", "m",
            ] + more)
        #expect(result.status == 0, "\(result.errors)")
        return tool
    }

    private func score(_ tool: Tool, _ data: String, _ more: [String] = []) throws -> Tool.Result {
        try tool.run(["score", "--model", "m", "--load-epoch", "1", "--data-val", data, "--output", "out"] + more)
    }

    private func predict(_ tool: Tool, _ more: [String], input: Data? = nil) throws -> Tool.Result {
        try tool.run(["predict", "--model", "m", "--load-epoch", "1"] + more, input: input)
    }

    private func lines(_ result: Tool.Result) throws -> [(image: String, best: [String: Any])] {
        try result.output.split(separator: "\n").map { line in
            let json = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let predictions = try #require(json?["predictions"] as? [[String: Any]])
            return (try #require(json?["image"] as? String), try #require(predictions.first))
        }
    }

    @Test func trainsOnAFolderAndScoresItLikeRecords() throws {
        let tool = try trained()
        defer { tool.remove() }
        #expect(try Preprocessing.load(prefix: tool.path("m"))?.classNames == Self.classes)
        let folder = try score(tool, "val"), records = try score(tool, "val.rec")
        #expect(folder.status == 0, "\(folder.errors)")
        func numbers(_ result: Tool.Result) -> [Substring] {
            result.output.split(separator: "\n").filter { !$0.contains("images/s") }
        }
        #expect(numbers(folder) == numbers(records))
        #expect(folder.output.contains("accuracy = ") && folder.output.contains("cross-entropy = "))
        #expect(
            folder.output.contains("45 images, ") && folder.output.contains("Report: out")
                && folder.output.contains("\ncat "))
        let files = [
            "score.json", "classes.csv", "confusion.csv", "confusion.svg", "confusion.png", "confusion-normalized.csv",
            "confusion-normalized.svg", "confusion-normalized.png",
        ]
        for name in files { #expect(try tool.bytes("out/\(name)").count > 0, "\(name)") }
        #expect(!Files.exists(tool.path("out/predictions.csv")))

        // A missing class shifts nothing; one that the model does not know is named.
        try tool.writeFolder("part", count: 45, classes: Self.classes, without: ["bird"])
        #expect(try score(tool, "part").output.contains("30 images"))
        let rows = String(decoding: try tool.bytes("out/classes.csv"), as: UTF8.self).split(separator: "\n")
        #expect(rows[1].hasPrefix("0,bird,0,") && rows[2].hasPrefix("1,cat,15,") && rows[3].hasPrefix("2,dog,15,"))
        try tool.writeFolder("more", count: 4, classes: Self.classes + ["horse"])
        let unknown = try score(tool, "more")
        #expect(unknown.status == 1 && unknown.errors.contains("more/horse: the class 'horse'"))
    }

    /// The purpose of it all: the same accuracy outside training as in it.
    @Test func predictAgreesWithScore() throws {
        let tool = try trained()
        defer { tool.remove() }
        let predicted = try predict(tool, ["--format", "json", "val"])
        #expect(predicted.status == 0, "\(predicted.errors)")
        let lines = try lines(predicted)
        #expect(lines.count == 45)
        let right = lines.filter { Files.name(of: Files.folder(of: $0.image)) == $0.best["class"] as? String }.count
        let scored = try score(tool, "val").output
        #expect(scored.contains("accuracy = \(String(format: "%.6f", Double(right) / 45))\n"), "\(right) in \(scored)")
        // Validation in training said the same.
        let log = try FileManager.default.contentsOfDirectory(atPath: tool.path("runs")).sorted()
        let text = String(decoding: try tool.bytes("runs/\(try #require(log.first))/log.txt"), as: UTF8.self)
        #expect(text.contains("Epoch[0] Validation-accuracy=\(String(format: "%.6f", Double(right) / 45))"))

        // One at a time, many at a time, from standard input and through the library: the same results.
        let single = try predict(tool, ["--format", "json", "--batch-size", "1", "val"])
        #expect(try self.lines(single).map { $0.best["index"] as? Int } == lines.map { $0.best["index"] as? Int })
        let first = lines[0].image
        let piped = try predict(tool, ["--format", "json", "-"], input: try tool.bytes(first))
        #expect(try self.lines(piped)[0].best["class"] as? String == lines[0].best["class"] as? String)
        let listed = try predict(
            tool, ["--format", "json", "--paths-from-stdin"], input: Data("\(first)\n\(lines[9].image)\n".utf8))
        #expect(try self.lines(listed).map(\.image) == [first, lines[9].image])
        let classifier = try Classifier(prefix: tool.path("m"), epoch: 1)
        let best = try classifier.predict(imagePaths: [tool.path(first)], top: 2)
        #expect(best.count == 1 && best[0].count == 2)
        #expect(best[0][0].className == lines[0].best["class"] as? String)
        #expect(abs(Double(best[0][0].probability) - (lines[0].best["probability"] as? Double ?? 0)) < 1e-6)
        #expect(try classifier.predict(image: [UInt8](tool.bytes(first)), top: 2) == best[0])
    }

    /// `score --per-image` and `predict --format csv` give the same results per image as `predict --format json`.
    @Test func tablesOfImages() throws {
        let tool = try trained()
        defer { tool.remove() }
        let json = try lines(predict(tool, ["--format", "json", "val"]))
        let csv = try predict(tool, ["--format", "csv", "--top-k", "3", "val"])
        #expect(csv.status == 0, "\(csv.errors)")
        let rows = csv.output.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
        #expect(rows[0] == ["image", "rank", "class", "index", "probability"] && rows.count == 1 + 3 * 45)
        for (number, line) in json.enumerated() {
            let best = rows[1 + 3 * number]
            #expect(best[0] == line.image && best[1] == "1" && best[2] == line.best["class"] as? String)
            #expect(rows[3 + 3 * number][1] == "3")
        }

        let scored = try score(tool, "val", ["--per-image"])
        #expect(scored.status == 0 && scored.output.contains("predictions.csv"), "\(scored.errors)")
        func table() throws -> [[String]] {
            String(decoding: try tool.bytes("out/predictions.csv"), as: UTF8.self).split(separator: "\n").dropFirst()
                .map { $0.split(separator: ",").map(String.init) }
        }
        let answers = try table()
        #expect(answers.map { $0[0] } == json.map(\.image))
        #expect(answers.map { $0[4] } == json.map { $0.best["class"] as? String })
        for answer in answers { #expect(Files.name(of: Files.folder(of: answer[0])) == answer[2]) }
        // Records are named by their ids; files of an earlier score in the folder are removed.
        #expect(try score(tool, "val.rec", ["--per-image"]).status == 0)
        #expect(try table().map { $0[0] } == (0..<45).map(String.init))
        #expect(try score(tool, "val.rec").status == 0)
        #expect(!Files.exists(tool.path("out/predictions.csv")))
        // Images in the wrong folders are wrong answers, and are shown.
        try tool.writeFolder("moved", count: 30, classes: ["cat", "dog", "bird"])
        #expect(try score(tool, "moved").output.contains("worst.png"))
        #expect(try tool.bytes("out/worst.png").starts(with: [0x89, 0x50]))
    }

    @Test func badImagesAreTold() throws {
        let tool = try trained()
        defer { tool.remove() }
        try Data().write(to: URL(fileURLWithPath: tool.path("empty.png")))
        try Data("text".utf8).write(to: URL(fileURLWithPath: tool.path("text.jpg")))
        let mixed = try predict(tool, ["empty.png", "val/cat/0001.png", "none.png", "val/dog/0002.png", "text.jpg"])
        #expect(mixed.status == 1)
        let errors = mixed.errors.split(separator: "\n")
        #expect(errors.count == 3 && zip(errors, ["empty.png", "none.png", "text.jpg"]).allSatisfy { $0.contains($1) })
        let rows = mixed.output.split(separator: "\n")
        #expect(rows[0].hasPrefix("image ") && rows[0].hasSuffix("probability  class"))
        #expect(rows[1].hasPrefix("val/cat/0001.png  ") && rows[4].hasPrefix("val/dog/0002.png  "))
        let bad = try predict(tool, ["empty.png", "none.png"])
        #expect(bad.status == 1 && bad.errors.split(separator: "\n").count == 2)
        try Files.makeFolder(tool.path("nothing"))
        #expect(try predict(tool, ["nothing"]).errors.contains("nothing: has no images"))
        #expect(try predict(tool, []).status == 64)
        #expect(try predict(tool, ["-", "val"], input: Data()).status == 64)
        #expect(try predict(tool, ["--top-k", "4", "val/cat/0001.png"]).errors.contains("--top-k"))
        let piped = try predict(tool, ["-"], input: Data("no image".utf8))
        #expect(piped.status == 1 && piped.errors.contains("standard input"))
    }

    /// Nothing says how a foreign checkpoint's images were prepared, so the flags must.
    @Test func foreignCheckpointsAskForTheFlags() throws {
        let tool = try trained()
        defer { tool.remove() }
        let expected = try score(tool, "val.rec").output.split(separator: "\n")[0]
        try FileManager.default.removeItem(atPath: tool.path("m-preprocessing.json"))
        for refused in [
            try score(tool, "val.rec"), try predict(tool, ["val"]), try score(tool, "val.rec", ["--rgb-mean", "100"]),
        ] {
            #expect(refused.status == 64)
            for flag in ["m-preprocessing.json", "--rgb-mean", "--rgb-std", "--image-shape"] {
                #expect(refused.errors.contains(flag), "\(flag) in \(refused.errors)")
            }
        }
        let flags = ["--rgb-mean", "100", "--rgb-std", "60", "--image-shape", "1,12,12"]
        let scored = try score(tool, "val.rec", flags)
        #expect(scored.status == 0 && scored.output.split(separator: "\n")[0] == expected, "\(scored.errors)")
        #expect(try predict(tool, ["val/cat/0001.png"] + flags).output.contains("\n  "))

        // Without names a folder must have one class per output.
        try tool.writeFolder("part", count: 9, classes: Self.classes, without: ["bird"])
        let part = try score(tool, "part", flags)
        #expect(part.status == 64 && part.errors.contains("--class-names"))
        try Data("bird\ncat\ndog\n".utf8).write(to: URL(fileURLWithPath: tool.path("names.txt")))
        #expect(try score(tool, "part", flags + ["--class-names", "names.txt"]).status == 0)
    }

    @Test func namesBelongToTheirHead() throws {
        let tool = try trained(["--resize", "14"])
        defer { tool.remove() }
        #expect(try Preprocessing.load(prefix: tool.path("m"))?.resize == 14)
        let tuning = [
            "fine-tune", "--pretrained-model", "m", "--load-epoch", "1", "--image-shape", "1,12,12", "--num-epochs",
            "1", "--batch-size", "15", "--rgb-mean", "100", "--layer-before-fullc", "relu2", "--model-prefix", "t",
        ]
        try tool.writeRecords("two", count: 45, labels: 2)
        let records = try tool.run(tuning + ["--data-train", "two.rec", "--num-classes", "2"])
        #expect(records.status == 0, "\(records.errors)")
        #expect(try Preprocessing.load(prefix: tool.path("t"))?.classNames == nil)
        try tool.writeFolder("two", count: 20, classes: ["left", "right"])
        #expect(try tool.run(tuning + ["--data-train", "two"]).status == 0)
        #expect(try Preprocessing.load(prefix: tool.path("t"))?.classNames == ["left", "right"])
        let wrong = try tool.run(tuning + ["--data-train", "two", "--num-classes", "3"])
        #expect(wrong.status == 64 && wrong.errors.contains("--num-classes 3"))

        // A continued run keeps its classes when a folder has disappeared.
        try tool.writeFolder("train2", count: 60, classes: Self.classes, without: ["bird"])
        let resumed = try tool.run([
            "train", "--network", "mlp", "--image-shape", "1,12,12", "--data-train", "train2", "--batch-size", "32",
            "--num-epochs", "2", "--model-prefix", "m", "--load-epoch", "1",
        ])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try Preprocessing.load(prefix: tool.path("m"))?.classNames == Self.classes)
    }
}
