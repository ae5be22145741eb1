import Anneal
import Foundation
import Testing

@Suite struct AugmentationFlagTests {
    /// MXNet's flags and newer ones together.
    private let everything = [
        "--image-shape", "3,12,12", "--pad-mode", "reflect", "--mirror-mode", "alternate", "--random-crop", "0",
        "--random-resized-crop", "1", "--min-random-area", "0.5", "--max-random-area", "1",
        "--min-random-aspect-ratio", "0.8", "--max-random-aspect-ratio", "1.25", "--max-random-h", "20",
        "--max-random-s", "20", "--max-random-l", "20", "--max-random-rotate-angle", "10", "--max-random-shear-ratio",
        "0.1", "--brightness", "0.2", "--contrast", "0.2", "--saturation", "0.2", "--pca-noise", "0.05",
        "--trivial-augment", "--random-erasing", "0.3", "--erasing-value", "noise", "--cutout", "3",
        "--label-smoothing", "0.1", "--mixup", "0.2", "--cutmix", "1", "--class-weights", "balanced",
    ]

    @Test func allFlagsTrainTheSameBitsWithAnyThreadsAndAfterAPause() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 150)
        try tool.writeRecords("val", count: 30)
        let whole = try tool.run(tool.training(2, prefix: "a/m", everything + ["--run-folder", "a"]))
        #expect(whole.status == 0, "\(whole.errors)")
        #expect(whole.errors.contains("Class weights: 1.0, 1.0, 1.0"))
        #expect(whole.errors.contains("Epoch[1] Validation-accuracy="))
        let again = try tool.run(tool.training(1, prefix: "b/m", everything + ["--data-nthreads", "1"]))
        #expect(again.status == 0, "\(again.errors)")
        let resumed = try tool.run(tool.training(2, prefix: "b/m", everything + ["--load-epoch", "1"]))
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try tool.bytes("a/m-0002.params") == tool.bytes("b/m-0002.params"))
        // The saved network is the user's, without soft labels.
        #expect(!String(decoding: try tool.bytes("a/m-symbol.json"), as: UTF8.self).contains("label_sum"))

        let tuned = try tool.run(
            [
                "fine-tune", "--pretrained-model", "a/m", "--load-epoch", "2", "--num-classes", "3", "--image-shape",
                "3,12,12", "--data-train", "train.rec", "--num-epochs", "1", "--batch-size", "25",
                "--layer-before-fullc", "relu2", "--label-smoothing", "0.1", "--class-weights", "1,2,3",
                "--use-imagenet-data-augmentation", "1", "--model-prefix", "t/m",
            ])
        #expect(tuned.status == 0, "\(tuned.errors)")
        let record = String(decoding: try tool.bytes("t/m-preprocessing.json"), as: UTF8.self)
        #expect(record.contains("58.39"), "\(record)")
    }

    /// Each flag by itself changes what is trained.
    @Test(arguments: [
        ["--pad-mode", "reflect"], ["--mirror-mode", "alternate"], ["--max-random-rotate-angle", "30"],
        ["--min-random-scale", "1.1", "--max-random-scale", "1.3"], ["--max-random-aspect-ratio", "0.3"],
        ["--min-crop-size", "8", "--max-crop-size", "10"], ["--brightness", "0.4"], ["--trivial-augment"],
        ["--random-erasing", "0.5"], ["--cutout", "4"], ["--label-smoothing", "0.1"], ["--mixup", "1"],
        ["--cutmix", "1"], ["--class-weights", "1,2,1"],
    ])
    func everyFlagHasAnEffect(_ flags: [String]) throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 64)
        try tool.writeRecords("val", count: 8)
        for (prefix, more) in [("a/m", []), ("b/m", flags)] {
            let run = try tool.run(tool.training(1, prefix: prefix, more))
            #expect(run.status == 0, "\(run.errors)")
        }
        #expect(try tool.bytes("a/m-0001.params") != tool.bytes("b/m-0001.params"))
    }

    static let wrong: [(flags: [String], names: String)] = [
        (["--random-resized-crop", "1"], "--random-resized-crop: excludes --random-crop"),
        (["--random-mirror", "2"], "--random-mirror: is 2"),
        (["--random-mirror", "0", "--mirror-mode", "alternate"], "--mirror-mode alternate"),
        (["--pad-mode", "mirror"], "--pad-mode"),
        (["--min-random-area", "0.1"], "--random-resized-crop 1"),
        (["--min-random-scale", "2"], "--min-random-scale and --max-random-scale: span 2.0 to 1.0"),
        (["--min-crop-size", "4"], "are not both given"),
        (["--saturation", "0.4"], "have 1 channel (leave"),
        (["--brightness", "nan"], "--brightness: is nan"),
        (["--max-random-rotate-angle", "-5"], "--max-random-rotate-angle"),
        (["--random-erasing", "2"], "--random-erasing: is 2.0"),
        (["--erasing-value", "256"], "--erasing-value 256"),
        (["--label-smoothing", "1"], "--label-smoothing: is 1.0"),
        (["--mixup", "inf"], "--mixup: is inf"),
        (["--class-weights", "1,2"], "has 2 numbers, but there are 3 classes"),
        (["--class-weights", "1,x,2"], "--class-weights 1,x,2"),
    ]

    @Test(arguments: wrong.indices) func wrongFlagsAreOneError(_ index: Int) throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 30)
        try tool.writeRecords("val", count: 3)
        let run = try tool.run(tool.training(1, prefix: "a/m", Self.wrong[index].flags))
        #expect(run.status == 64, "\(run.errors)")
        #expect(run.errors.contains(Self.wrong[index].names), "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: tool.path("a")))
    }

    @Test func previewDrawsASheet() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 5)
        let flags = [
            "augment-preview", "--data-train", "train.rec", "--image-shape", "1,12,12", "--rgb-mean", "100",
            "--epochs", "4",
        ]
        let plain = try tool.run(flags + ["--to", "plain.png"])
        #expect(plain.status == 0 && plain.output == "plain.png\n", "\(plain.errors)")
        // 12 pixels are drawn 16 times as large, in cells of 208 pixels; there are fewer images than requested.
        let sheet = try ImageDecoder().decode([UInt8](tool.bytes("plain.png")), as: .gray)
        let left = sheet.width - 5 * 208 - 40, bottom = sheet.height - 24
        #expect(left > 100, "room for the images' names")
        func image(_ sheet: Image, _ row: Int, _ column: Int, of rows: Int) -> Image {
            sheet.cropped(x: left + column * 208, y: bottom - (rows - row) * 208, width: 192, height: 192)
        }
        // Without augmentation every epoch shows the image unchanged.
        for row in 0..<5 {
            for column in 1...4 { #expect(image(sheet, row, column, of: 5) == image(sheet, row, 0, of: 5)) }
        }
        #expect(image(sheet, 0, 0, of: 5) != image(sheet, 1, 0, of: 5))
        let busy = try tool.run(
            flags + ["--to", "busy.png", "--pad-size", "2", "--random-crop", "1", "--cutmix", "1", "--images", "3"])
        #expect(busy.status == 0, "\(busy.errors)")
        let drawn = try ImageDecoder().decode([UInt8](tool.bytes("busy.png")), as: .gray)
        #expect(sheet.height - drawn.height == 2 * 208)

        for (more, name, status) in [
            (["--to", "sheet.jpg"], "--to sheet.jpg", 64), (["--images", "0"], "--images: is 0", 64),
            (["--data-train", "none.rec"], "none.rec", 1), (["--to", "no/such/folder.png"], "no/such/folder.png", 1),
        ] as [([String], String, Int32)] {
            let run = try tool.run(flags + more)
            #expect(run.status == status && run.errors.contains(name), "\(run.errors)")
        }
    }
}
