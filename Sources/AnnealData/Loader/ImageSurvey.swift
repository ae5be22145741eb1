import AnnealCore

/// An overview of a source's images: formats, sizes, classes, and unusable images.
public struct ImageSurvey: Sendable, Equatable {
    public struct Size: Sendable, Hashable {
        public var width: Int
        public var height: Int

        public init(width: Int, height: Int) {
            self.width = width
            self.height = height
        }

        var pixels: Int { width.multipliedReportingOverflow(by: height).partialValue }
    }

    /// Images examined, including bad ones.
    public private(set) var count = 0
    public private(set) var formats: [ImageFormat: Int] = [:]
    public private(set) var sizes: [Size: Int] = [:]
    /// Good images by label.
    public private(set) var classCounts: [Int: Int] = [:]
    /// In order of their indices.
    public private(set) var bad: [BadRecord] = []

    public init() {}

    /// The headers of at most `limit` images, spread evenly over the source.
    ///
    /// Bad images are those that cannot be read or are not images; damage in the pixels goes unnoticed.
    public static func headers(
        of source: any SampleSource, limit: Int = 4000, threads: Int = LoaderOptions.defaultThreads
    ) -> ImageSurvey {
        let looked = min(limit, source.count)
        let samples =
            (try? parallelMap(looked, threads: threads) { index in
                source.look(at: index * source.count / looked, decodingUpTo: nil)
            }) ?? []
        var survey = ImageSurvey()
        for sample in samples { survey.add(sample) }
        return survey
    }

    /// Every image, decoded as in training, with one label that is a class number.
    /// - Parameters:
    ///   - classes: the number of classes; nil if unknown.
    ///   - maximumPixels: larger images are bad.
    ///   - progress: called with the number of images done.
    public static func decoding(
        _ source: any SampleSource, classes: Int? = nil, threads: Int = LoaderOptions.defaultThreads,
        maximumPixels: Int = Image.maximumPixels, progress: (Int) -> Void = { _ in }
    ) throws -> ImageSurvey {
        var survey = ImageSurvey()
        let round = 64 * max(1, threads)
        for start in stride(from: 0, to: source.count, by: round) {
            let samples = try parallelMap(min(round, source.count - start), threads: threads) { index in
                source.look(at: start + index, decodingUpTo: maximumPixels, classes: classes)
            }
            for sample in samples { survey.add(sample) }
            progress(start + samples.count)
        }
        return survey
    }

    fileprivate enum Sample: Sendable {
        case good(ImageHeader, label: Float?)
        case bad(BadRecord)
    }

    private mutating func add(_ sample: Sample) {
        count += 1
        switch sample {
        case .good(let header, let label):
            formats[header.format, default: 0] += 1
            sizes[Size(width: header.width, height: header.height), default: 0] += 1
            if let label = label.flatMap({ Int(exactly: $0) }) { classCounts[label, default: 0] += 1 }
        case .bad(let record): bad.append(record)
        }
    }
}

extension ImageSurvey {
    /// `80 JPEG, 10 PNG; 32x24 to 400x300 pixels`
    public var summary: String {
        let kinds = formats.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
            .map { formats.count == 1 ? $0.key.rawValue : "\($0.value) \($0.key.rawValue)" }.joined(separator: ", ")
        return kinds + (sizeRange.map { "; \($0) pixels" } ?? "")
    }

    /// `32x24 to 400x300`, width x height; nil without a good image.
    public var sizeRange: String? {
        let ordered = sizes.keys.sorted { ($0.pixels, $0.width) < ($1.pixels, $1.width) }
        guard let smallest = ordered.first, let largest = ordered.last else { return nil }
        func text(_ size: Size) -> String { "\(size.width)x\(size.height)" }
        return smallest == largest ? text(smallest) : "\(text(smallest)) to \(text(largest))"
    }

    /// The largest length of an image's shorter side; 0 without a good image.
    public var longestShortSide: Int { sizes.keys.map { min($0.width, $0.height) }.max() ?? 0 }

    /// Pixels of the largest image; 0 without a good image.
    public var mostPixels: Int { sizes.keys.map(\.pixels).max() ?? 0 }

    /// The average share of an image's area that a centre crop shows; 1 without a good image. Images smaller than the
    /// crop are enlarged to it first.
    public func shareShown(height: Int, width: Int) -> Double {
        var sum = 0.0, number = 0
        for (size, count) in sizes {
            let (imageWidth, imageHeight) = (Double(size.width), Double(size.height))
            let scale = max(1, Double(height) / imageHeight, Double(width) / imageWidth)
            sum += Double(count) * Double(height * width) / (scale * imageWidth * scale * imageHeight)
            number += count
        }
        return number > 0 ? sum / Double(number) : 1
    }
}

extension SampleSource {
    /// Enough bytes for an image's header, unless a camera wrote a large preview before it.
    private var usualHeader: Int { (self as? RecordFile)?.isLarge == true ? 1 << 12 : 1 << 14 }

    /// - Parameters:
    ///   - maximumPixels: for an image that is decoded completely; nil: only its header is read.
    ///   - classes: the number of classes for the image's label; nil: any label.
    fileprivate func look(
        at number: Int, decodingUpTo maximumPixels: Int?, classes: Int? = nil
    ) -> ImageSurvey.Sample {
        var id: UInt64?
        do {
            var payload: [UInt8] = []
            var sample =
                try maximumPixels != nil
                ? readSample(number, epoch: 0, into: &payload)
                : readBeginning(of: number, atMost: usualHeader, into: &payload)
            id = sample.id
            var header = ImageHeader(payload[sample.imageStart...])
            if header == nil, maximumPixels == nil, payload.count >= usualHeader {
                sample = try readSample(number, epoch: 0, into: &payload)
                header = ImageHeader(payload[sample.imageStart...])
            }
            if let maximumPixels {
                try check(sample.labels, classes)
                let image = try ImageDecoder(maximumPixels: maximumPixels).decode(payload, from: sample.imageStart)
                header = ImageFormat(payload[sample.imageStart...]).map {
                    ImageHeader(format: $0, width: image.width, height: image.height)
                }
            }
            guard let header else { throw Self.notAnImage(payload[sample.imageStart...]) }
            return .good(header, label: sample.labels.first)
        } catch {
            let reason = placed(error as? AnnealError ?? AnnealError("", "\(error)"), number, id: id)
            return .bad(BadRecord(number: number, id: id, offset: offset(of: number), reason: reason))
        }
    }

    private func check(_ labels: [Float], _ classes: Int?) throws {
        if let classes { return try ClassLabel.check(labels, classes: classes) }
        let label = try ClassLabel.only(labels)
        guard label >= 0, label == label.rounded(), label <= 0x1p24 else {
            throw AnnealError("", "its label \(label) is not a class number")
        }
    }

    private static func notAnImage(_ bytes: ArraySlice<UInt8>) -> AnnealError {
        guard !bytes.isEmpty else { return AnnealError("", "is empty") }
        guard let format = ImageFormat(bytes) else {
            return AnnealError("", "is not an image: neither \(ImageFormat.decodedNames)")
        }
        return format.isDecoded
            ? AnnealError("", "is not a complete \(format.rawValue) image: its size is missing")
            : AnnealError(
                "", "is a \(format.rawValue) image, which is not supported", suggestion: "convert it to JPEG or PNG")
    }
}
