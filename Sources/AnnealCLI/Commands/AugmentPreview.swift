import Anneal
import ArgumentParser
import Foundation

/// Shows training's images before training.
struct AugmentPreview: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "augment-preview",
        abstract: "Draw images as training will see them.",
        discussion: """
            One row for each of the first images: on the left as in validation, then as in training in epoch 1, 2, … \
            with the same flags and seed. Defaults are those of train. Mixed images (--mixup, --cutmix) have their partners \
            from the same sheet. Flags of the data that do not change images may stay; they have no effect here.

            anneal augment-preview --data-train cifar10_train.rec --pad-size 4 --random-crop 1 --random-mirror 1 \
            --trivial-augment --to sheet.png
            """)

    @OptionGroup var data: DataOptions
    @Option(help: ArgumentHelp("Shape of the network's input.", valueName: "C,H,W"))
    var imageShape: String = "3,28,28"
    @Option(help: ArgumentHelp("Images to show.", valueName: "N"))
    var images: Int = 8
    @Option(help: ArgumentHelp("Epochs to show.", valueName: "N"))
    var epochs: Int = 8
    @Option(help: ArgumentHelp("The run's seed.", valueName: "N"))
    var seed: UInt64 = 0
    @Option(help: ArgumentHelp("Output file.", valueName: "FILE.png"))
    var to: String = "augmentation.png"

    func run() throws {
        for (flag, value) in [("--images", images), ("--epochs", epochs)] where !(1...100).contains(value) {
            throw UsageError(flag, "is \(value)", suggestion: "it must be 1 to 100")
        }
        guard to.hasSuffix(".png") || Files.isStandardOutput(to) else {
            throw UsageError("--to \(to)", "is not the name of a PNG file", suggestion: "end it in .png")
        }
        let shape = try parseImageShape(imageShape)
        let training = try data.training(), source = training.source
        let rows = min(images, source.count)
        guard rows > 0 else { throw AnnealError(source.path, "has no images") }
        let preprocessing = try data.preprocessing(of: training, imageShape: shape)
        var plain = LoaderOptions(validating: preprocessing, batchSize: rows)
        plain.threads = try data.images.checkedThreads()
        plain.maximumPixels = try data.images.checkedPixels()
        plain.decodesExactly = try data.images.decodesExactly()
        var augmented = plain
        var flags = data
        flags.augmentation.fill(Train.script)
        augmented.augmentation = try flags.trainingAugmentation(preprocessing)
        augmented.seed = seed

        let validation = try BatchLoader(source, options: plain)
        var columns = [try validation.images(epoch: 0, normalization: plain.normalization)]
        let mixed = try mixing(BatchLoader(source, options: augmented), source, rows)
        for epoch in 0..<epochs { columns.append(try mixed.images(epoch: epoch, normalization: plain.normalization)) }
        let sheet = ContactSheet(
            title: "Training images of \(FilePath(source.path).name)",
            subtitle: "On the left as in validation, then as in training in each epoch, with --seed \(seed).",
            columnNames: ["validation"] + (0..<epochs).map { "epoch \($0 + 1)" },
            rows: try (0..<rows).map { row in
                ContactSheet.Row(
                    name: try names(of: row, training), cells: columns.map { ContactSheet.Cell(.init($0[row])) })
            })
        try Files.writeAtomically(try sheet.png(), to: to)
        print(to, about: to)
    }

    /// The image and its class, if it has one: its name, or the label if no names are known.
    private func names(of number: Int, _ training: ImageData) throws -> [String] {
        let name = try training.source.name(of: number)
        let image = training.source is RecordFile ? "record \(number), id \(name)" : ContactSheet.shortened(name)
        // Records with several labels have no class.
        guard let label = try? training.source.classLabel(of: number) else { return [image] }
        let index = label >= 0 && label < 65_536 ? Int(label) : -1
        let known = training.classNames.flatMap { $0.indices.contains(index) ? $0[index] : nil }
        return [image, known ?? "class \(index >= 0 && Float(index) == label ? "\(index)" : "\(label)")"]
    }

    /// The number of classes is as large as these images require.
    private func mixing(_ loader: BatchLoader, _ samples: any SampleSource, _ rows: Int) throws -> any BatchSource {
        let settings = data.labels.settings
        if settings.areOff { return loader }
        let labels = try (0..<rows).map { number in
            let label = try samples.classLabel(of: number)
            do {
                try ClassLabel.check(label, classes: 65_536)
            } catch let error as AnnealError {
                throw error.within(samples.place(of: number, id: nil))
            }
            return Int(label)
        }
        return try flagErrors {
            try SoftLabelSource(loader, labels: settings, classes: (labels.max() ?? 0) + 1, seed: seed)
        }
    }
}
