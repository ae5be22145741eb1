import Foundation

extension RunPictures {
    /// The images with the worst answers, as validation saw them, and the first training images with their
    /// augmentation.
    ///
    /// - Parameters:
    ///   - validation: the source that the answers' indices refer to; nil without validation.
    ///   - training: a few of its images are read again.
    /// - Throws: `AnnealError` naming an image that can no longer be read.
    public init(
        _ answers: WorstAnswers, validation: BatchLoader?, training: BatchLoader, classNames: [String]
    ) throws {
        self.init(wrong: answers.wrong)
        if let validation {
            worst = try answers.answers.map { answer in
                Picture(
                    name: try validation.source.name(of: answer.number), label: Self.name(answer.label, classNames),
                    predicted: answer.predicted.map { Self.name($0, classNames) },
                    probability: answer.probability.isFinite ? Double(answer.probability) : nil,
                    labelProbability: answer.labelProbability.isFinite ? Double(answer.labelProbability) : nil,
                    png: try Self.png(validation, [answer.number])[0])
            }
        }
        let shown = Self.firstUsable(of: training)
        let pictures = try Self.png(training, shown)
        self.training = try zip(shown, pictures).map { number, png in
            let label = Int(exactly: try training.source.classLabel(of: number)) ?? -1
            return Picture(
                name: try training.source.name(of: number), label: Self.name(label, classNames), png: png)
        }
    }

    private static let trainingImages = 12

    /// The first samples that are not skipped.
    private static func firstUsable(of loader: BatchLoader) -> [Int] {
        let all = 0..<min(trainingImages, loader.source.count)
        guard loader.options.onBadRecord == .skip, let decoder = try? ImageDecoder() else { return Array(all) }
        return all.filter { number in
            var payload: [UInt8] = []
            guard let header = try? loader.source.readSample(number, epoch: 0, into: &payload),
                (try? decoder.decode(payload, from: header.imageStart)) != nil
            else { return false }
            return loader.options.numClasses.map { (try? ClassLabel.check(header.labels, classes: $0)) != nil } ?? true
        }
    }

    private static func name(_ label: Int, _ names: [String]) -> String {
        names.indices.contains(label) ? names[label] : "\(label)"
    }

    private static func png(_ loader: BatchLoader, _ numbers: [Int]) throws -> [Data] {
        guard !numbers.isEmpty else { return [] }
        var options = loader.options
        options.batchSize = numbers.count
        options.shuffle = false
        (options.numParts, options.partIndex, options.rows) = (1, 0, nil)
        let some = try BatchLoader(SampleSubset(loader.source, numbers: numbers), options: options)
        return try some.images(epoch: 0, normalization: options.normalization).map { image in
            Data(try small(image).encoded(as: .png(level: 9)))
        }
    }

    /// At most 64 pixels a side, in gray or colour.
    private static func small(_ image: Image) -> Image {
        let picture = ContactSheet.Picture(image)
        let colour = Image(width: picture.width, height: picture.height, channels: 3, pixels: picture.rgb)
        let longest = max(image.width, image.height)
        guard longest > side else { return colour }
        return colour.resized(
            width: max(1, image.width * side / longest), height: max(1, image.height * side / longest), .area)
    }
}
