extension ContactSheet.Picture {
    /// Gray images become RGB; with four channels the fourth is dropped, with any other number the first is shown.
    public init(_ image: Image) {
        let channels = image.channels, isColour = channels == 3 || channels == 4
        var rgb: [UInt8] = []
        rgb.reserveCapacity(3 * image.width * image.height)
        for start in stride(from: 0, to: image.pixels.count, by: channels) {
            for channel in 0..<3 { rgb.append(image.pixels[start + (isColour ? channel : 0)]) }
        }
        self.init(rgb: rgb, width: image.width, height: image.height)
    }
}

extension BatchSource {
    /// The images of a batch as the network sees them.
    /// - Throws: what the source throws.
    public func images(epoch: Int, normalization: Normalization) throws -> [Image] {
        let size = dataShape.count
        var data = [Float](repeating: 0, count: batchSize * size)
        var labels = [Float](repeating: 0, count: batchSize * labelWidth)
        try start(epoch: epoch, atBatch: 0)
        try data.withUnsafeMutableBufferPointer { data in
            try labels.withUnsafeMutableBufferPointer { labels in
                _ = try next(into: BatchSlot(data: data, labels: labels))
            }
        }
        return (0..<batchSize).map {
            Image(data[($0 * size)..<(($0 + 1) * size)], shape: dataShape, normalization: normalization)
        }
    }
}

extension ContactSheet {
    /// The images of some answers as the network saw them, with its answers.
    /// - Throws: `AnnealError` naming an image that can no longer be read.
    public init(
        _ worst: WorstAnswers, of source: any SampleSource, preprocessing: Preprocessing, classNames: [String],
        title: String
    ) throws {
        let columns = 6
        func share(_ value: Float) -> String { LogGrammar.fixed(Double(value), 2) }
        let cells = try worst.answers.map { answer in
            // One at a time, because images may be large.
            let options = LoaderOptions(validating: preprocessing, batchSize: 1)
            let loader = try BatchLoader(SampleSubset(source, numbers: [answer.number]), options: options)
            let image = try loader.images(epoch: 0, normalization: options.normalization)[0]
            let name = try source.name(of: answer.number)
            let said = answer.predicted.map { classNames[$0] } ?? "nothing"
            return Cell(
                Picture(image),
                caption: [
                    "\(share(answer.labelProbability)) \(classNames[answer.label])",
                    "\(share(answer.probability)) \(said)",
                ], path: source is RecordFile ? "record id \(name)" : Self.shortened(name))
        }
        let all = worst.wrong == 1 ? "The only wrong image" : "All \(worst.wrong) wrong images"
        let shown = cells.count < worst.wrong ? "The \(cells.count) worst of \(worst.wrong) wrong images" : all
        self.init(
            title: title,
            subtitle: "\(shown), ordered by the probability of the true class. "
                + "Below each: the true class, the predicted class, the image.",
            rows: stride(from: 0, to: cells.count, by: columns).map {
                Row(cells: Array(cells[$0..<min(cells.count, $0 + columns)]))
            })
    }

    /// The end of a path, which distinguishes images: more than a sheet has room for.
    public static func shortened(_ name: String) -> String {
        name.count > 60 ? "…\(name.suffix(59))" : name
    }
}
