import Anneal
import ArgumentParser
import Foundation

/// A look at training's images before training.
struct AugmentPreview: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "augment-preview",
        abstract: "Draw images as training will see them.",
        discussion: """
            A row for each of the first images: on the left as validation sees it, then as training does in epoch 0, 1, … \
            with the same flags and seed. Defaults are those of train. Mixed images (--mixup, --cutmix) have their partners \
            from the same sheet. Flags of the data that do not change images may stay; they have no effect here.

            anneal augment-preview --data-train cifar10_train.rec --pad-size 4 --random-crop 1 --random-mirror 1 \
            --trivial-augment --to sheet.png
            """)

    @OptionGroup(title: "Data")
    var data: DataOptions
    @Option(help: ArgumentHelp("Shape of the network's input.", valueName: "C,H,W"))
    var imageShape: String = "3,28,28"
    @Option(help: ArgumentHelp("Images to show.", valueName: "N"))
    var images: Int = 8
    @Option(help: ArgumentHelp("Epochs to show.", valueName: "N"))
    var epochs: Int = 8
    @Option(help: ArgumentHelp("The run's seed.", valueName: "N"))
    var seed: UInt64 = 0
    @Option(help: ArgumentHelp("Where the picture goes.", valueName: "FILE.png"))
    var to: String = "augmentation.png"

    func run() throws {
        for (flag, value) in [("--images", images), ("--epochs", epochs)] where !(1...100).contains(value) {
            throw UsageError(flag, "is \(value)", suggestion: "it must be 1 to 100")
        }
        guard to.hasSuffix(".png") else {
            throw UsageError("--to \(to)", "is not the name of a PNG file", suggestion: "end it in .png")
        }
        let shape = try parseImageShape(imageShape)
        let source = try data.training().source
        let rows = min(images, source.count)
        guard rows > 0 else { throw AnnealError(source.path, "has no images") }
        let preprocessing = try data.preprocessing(imageShape: shape, classNames: nil)
        var plain = LoaderOptions(validating: preprocessing, batchSize: rows)
        plain.threads = try data.images.checkedThreads()
        var augmented = plain
        var flags = data
        flags.augmentation.fill(Train.script)
        augmented.augmentation = try flags.trainingAugmentation(preprocessing)
        augmented.seed = seed

        var columns = [try batch(BatchLoader(source, options: plain), epoch: 0, plain.normalization)]
        let loader = try BatchLoader(source, options: augmented)
        let mixed = try mixing(loader, source, rows)
        for epoch in 0..<epochs { columns.append(try batch(mixed, epoch: epoch, plain.normalization)) }
        let sheet = try Image.contactSheet(
            (0..<rows).map { row in columns.map { $0[row] } }, scale: max(1, 96 / max(shape[1], shape[2])), gap: 4)
        try Files.writeAtomically(Data(try sheet.encoded(as: .png(level: 6))), to: to)
        print(to)
    }

    /// Labels are not shown, so there are as many classes as these images need.
    private func mixing(_ loader: BatchLoader, _ samples: any SampleSource, _ rows: Int) throws -> any BatchSource {
        let settings = data.labels.settings
        if settings.areOff { return loader }
        let labels = try (0..<rows).map { number in
            let label = try samples.classLabel(of: number)
            guard label >= 0, label < 65_536 else {
                throw AnnealError(samples.place(of: number, id: nil), "its label \(label) is no class's number")
            }
            return Int(label)
        }
        return try flagErrors {
            try SoftLabelSource(loader, labels: settings, classes: (labels.max() ?? 0) + 1, seed: seed)
        }
    }

    /// The images of the epoch's first batch.
    private func batch(_ source: any BatchSource, epoch: Int, _ normalization: Normalization) throws -> [Image] {
        let size = source.dataShape.count
        var data = [Float](repeating: 0, count: source.batchSize * size)
        var labels = [Float](repeating: 0, count: source.batchSize * source.labelWidth)
        try source.start(epoch: epoch, atBatch: 0)
        try data.withUnsafeMutableBufferPointer { data in
            try labels.withUnsafeMutableBufferPointer { labels in
                _ = try source.next(into: BatchSlot(data: data, labels: labels))
            }
        }
        return (0..<source.batchSize).map {
            Image(data[($0 * size)..<(($0 + 1) * size)], shape: source.dataShape, normalization: normalization)
        }
    }
}
