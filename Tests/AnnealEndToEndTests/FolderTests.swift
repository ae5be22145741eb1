import Anneal
import Foundation
import Testing

/// How folders of images become the network's input.
@Suite struct FolderTests {
    private func train(_ tool: Tool, _ data: String, _ more: [String], folder: String = "r") throws -> Tool.Result {
        try tool.run(
            [
                "train", "--network", "mlp", "--data-train", data, "--rgb-mean", "100", "--rgb-std", "60",
                "--batch-size", "8", "--num-epochs", "1", "--lr", "0.02", "--run-folder", folder,
            ] + more)
    }

    private func config(_ tool: Tool, _ folder: String = "r") throws -> [Substring] {
        String(decoding: try tool.bytes("\(folder)/config.yaml"), as: UTF8.self).split(separator: "\n")
    }

    /// Labels 0 to 11: the order of text would be 0, 1, 10, 11, 2, …
    @Test func numberedFoldersAreLabels() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("a", count: 120, labels: 12)
        try tool.writeFolder("plain", count: 120, classes: (0..<12).map { "\($0)" })
        try tool.writeFolder("padded", count: 120, classes: (0..<12).map { String(format: "%02d", $0) })
        try tool.writeFolder("names", count: 120, classes: (0..<12).map { "class\($0)" })
        let flags = ["--image-shape", "1,12,12", "--num-classes", "12", "--model-prefix", "m"]
        let trained = try train(tool, "a.rec", flags + ["--data-val", "plain"])
        #expect(trained.status == 0, "\(trained.errors)")
        func score(_ data: String) throws -> Tool.Result {
            try tool.run(["score", "--model", "m", "--load-epoch", "1", "--data-val", data, "--output", "out"])
        }
        let expected = try score("a.rec").output.split(separator: "\n").filter { $0.contains(" = ") }
        for data in ["plain", "padded"] {
            #expect(try score(data).output.split(separator: "\n").filter { $0.contains(" = ") } == expected, "\(data)")
        }
        // The same number of classes, in an unknown order.
        for refused in [
            try score("names"), try train(tool, "a.rec", flags + ["--data-val", "names"], folder: "q"),
        ] {
            #expect(refused.status == 64 && refused.errors.contains("--class-names"), "\(refused.errors)")
        }
    }

    @Test func partsOfADataSetAreUsed() throws {
        let tool = try Tool()
        defer { tool.remove() }
        for (part, count) in [("train", 24), ("val", 9), ("test", 6)] {
            try tool.writeFolder("set/\(part)", count: count, classes: ["bird", "cat", "dog"])
        }
        let shape = ["--image-shape", "1,12,12"]
        let trained = try train(tool, "set", shape)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(trained.errors.contains("24 training images in 3 classes: bird 8, cat 8, dog 8; PNG; 12x12 pixels"))
        #expect(
            trained.errors.contains("9 validation images in 3 classes")
                && trained.errors.contains("Validation-accuracy"))
        let other = try train(tool, "set", shape + ["--data-val", "set/test"], folder: "s")
        #expect(other.errors.contains("6 validation images"))
        let both = try train(tool, "set", shape + ["--val-split", "0.5"], folder: "u")
        #expect(both.status == 64 && both.errors.contains("--val-split: set/val validates already"))
        let scored = try tool.run(
            ["score", "--model", "r/model", "--load-epoch", "1", "--data-val", "set", "--output", "out"])
        #expect(scored.output.contains("9 images"), "\(scored.errors)")
    }

    @Test func largerImagesOfFoldersAreResized() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeFolder("train", count: 24, classes: ["bird", "cat", "dog"])
        try tool.writeRecords("train", count: 24)
        let shape = ["--image-shape", "1,6,6"]
        let trained = try train(tool, "train", shape)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(trained.errors.contains("Images (12x12) are larger than 6x6: their shorter side is resized to 6"))
        #expect(trained.errors.contains("WARNING:root:nothing is held out"))
        #expect(try Preprocessing.load(prefix: tool.path("r/model"))?.resize == 6)
        #expect(try config(tool).contains("resize: auto"))
        // Cropped as MXNet crops records, with a warning.
        let records = try train(tool, "train.rec", shape + ["--num-classes", "3"], folder: "s")
        #expect(
            records.errors.contains("WARNING:root:images (12x12) are cropped to their centre, 6x6 or 25 % of the area"))
        #expect(try Preprocessing.load(prefix: tool.path("s/model"))?.resize == nil)
        try tool.writeFolder("val", count: 6, classes: ["0", "1", "2"])
        let validated = try train(
            tool, "train.rec", shape + ["--num-classes", "3", "--data-val", "val"], folder: "w")
        #expect(validated.errors.contains("WARNING:root:validation images (12x12) are cropped to their centre, 6x6"))
        let whole = try train(tool, "train", shape + ["--resize", "0"], folder: "u")
        #expect(whole.errors.contains("cropped to their centre"))
        // A file written by a run of 0.1 has no such line.
        let old = try config(tool, "u").filter { !$0.hasPrefix("resize") }.joined(separator: "\n")
        try Data(old.utf8).write(to: URL(fileURLWithPath: tool.path("old.yaml")))
        let again = try tool.run(["train", "--config", "old.yaml", "--run-folder", "v"])
        #expect(again.status == 0, "\(again.errors)")
        #expect(try tool.bytes("v/model-0001.params") == tool.bytes("u/model-0001.params"))
        #expect(try tool.bytes("v/model-0001.params") != tool.bytes("r/model-0001.params"))
    }

    @Test func oneClassAloneIsWarnedOf() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 64, labels: 1)
        try tool.writeRecords("val", count: 32)
        let run = try tool.run(tool.training(1, prefix: "m"))
        let warning = "WARNING:root:all training images are of class 0: a network learns nothing from them"
        #expect(run.status == 0 && run.errors.contains(warning), "\(run.errors)")
    }

    @Test func imagesAreHeldOut() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 60)
        let flags = ["--image-shape", "1,12,12", "--num-classes", "3", "--val-split", "0.2", "--seed", "4"]
        let trained = try train(tool, "train.rec", flags)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(trained.errors.contains("12 of the images are held out for validation"))
        #expect(trained.errors.contains("48 training images") && !trained.errors.contains("nothing is held out"))
        #expect(try config(tool).contains("val-split: 0.2"))
        // The same images in a continued run.
        let unbroken = try train(tool, "train.rec", flags + ["--num-epochs", "2"], folder: "s")
        #expect(unbroken.status == 0, "\(unbroken.errors)")
        let resumed = try tool.run(["resume", "r", "--num-epochs", "2"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try tool.bytes("r/model-0002.params") == tool.bytes("s/model-0002.params"))
        #expect(try tool.run(["resume", "r", "--num-epochs", "3", "--val-split", "0.3"]).status == 64)
        for wrong in ["0", "1", "0.001", "nan"] {
            let refused = try train(tool, "train.rec", flags + ["--val-split", wrong], folder: "u")
            #expect(refused.status == 64 && refused.errors.contains("--val-split"), "\(refused.errors)")
        }
    }

    @Test func fineTuningTakesShapeAndResizeFromTheRecord() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 24)
        let trained = try train(
            tool, "train.rec",
            ["--image-shape", "1,8,8", "--resize", "10", "--num-classes", "3", "--model-prefix", "m"])
        #expect(trained.status == 0, "\(trained.errors)")
        let tuned = try tool.run([
            "fine-tune", "--pretrained-model", "m", "--load-epoch", "1", "--data-train", "train.rec", "--num-classes",
            "3", "--num-epochs", "1", "--batch-size", "8", "--layer-before-fullc", "relu2", "--run-folder", "t",
        ])
        #expect(tuned.status == 0, "\(tuned.errors)")
        #expect(
            tuned.errors.contains(
                "Images as the pre-trained model's record says: shape 1,8,8, resize 10, mean 100.0, std 60.0\n"))
        let record = try #require(try Preprocessing.load(prefix: tool.path("t/model")))
        #expect(record.imageShape == [1, 8, 8] && record.resize == 10)
        #expect(try config(tool, "t").contains("image-shape: 1,8,8"))
    }

    @Test func checkListsWhatIsBad() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeFolder("set", count: 12, classes: ["bird", "cat", "dog"])
        let good = try tool.run(["check", "set"])
        #expect(good.status == 0 && good.output.contains("12 images in 3 classes, 0 bad; PNG; 12x12 pixels"))
        let image = try tool.bytes("set/cat/0001.png")
        try image.dropLast(40).write(to: URL(fileURLWithPath: tool.path("set/cat/0001.png")))
        symlink("nowhere", tool.path("set/dog/gone.jpg"))
        try Files.makeFolder(tool.path("set/horse"))
        let bad = try tool.run(["check", "set"])
        #expect(bad.status == 1)
        for line in [
            "set/cat/0001.png: not a whole PNG image", "set/horse: the class 'horse'",
            "1 broken link (the first: set/dog/gone.jpg)", "\ncat         3    1\n",
        ] {
            #expect(bad.output.contains(line), "\(line) in \(bad.output)")
        }
        try tool.writeRecords("a", count: 9)
        #expect(try tool.run(["check", "a.rec"]).output.contains("9 images in 3 classes, 0 bad"))
        #expect(try tool.run(["check", "none"]).status == 1)
        try tool.writeFolder("links", count: 4, classes: ["cat", "dog"])
        symlink("nowhere", tool.path("links/dog/gone.jpg"))
        let links = try tool.run(["check", "links"])
        #expect(links.status == 1 && links.output.contains("1 of these cannot be read, which counts as bad"))
        // Before it begins, training notices what headers show.
        try Data("<html>".utf8).write(to: URL(fileURLWithPath: tool.path("set/bird/page.jpg")))
        try FileManager.default.removeItem(atPath: tool.path("set/horse"))
        let refused = try train(tool, "set", ["--image-shape", "1,12,12"])
        #expect(refused.status == 1 && refused.errors.contains("set/bird/page.jpg: is not an image: neither JPEG"))
        #expect(
            try train(tool, "set", ["--image-shape", "1,12,12", "--on-bad-record", "skip"], folder: "s").status == 0)
    }

    @Test func namesThatAreNotUTF8() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeFolder("set", count: 12, classes: ["bird", "cat"])
        let trained = try train(tool, "set", ["--image-shape", "1,12,12", "--model-prefix", "m"])
        #expect(trained.status == 0, "\(trained.errors)")
        let odd = Array(tool.path("set/cat/").utf8) + [0xE9] + Array(".png".utf8)
        #expect(FilePath(bytes: odd).withCString { rename(tool.path("set/cat/0001.png"), $0) } == 0)
        let predict = ["predict", "--model", "m", "--load-epoch", "1", "--format", "json"]
        let piped = try tool.run(predict + ["--paths-from-stdin"], input: Data(odd + [10]))
        #expect(piped.status == 0 && piped.output.contains("set/cat/\\\\xE9.png"), "\(piped.errors)")
        #expect(try tool.run(predict + ["set"]).output.split(separator: "\n").count == 12)
    }
}
