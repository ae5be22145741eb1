import AnnealCore

/// Statistics of a source's images, which are all decoded: numbers, labels, sizes, formats, colours, and duplicates.
public struct DataStatistics: Sendable {
    /// Sums of levels, 0 ... 255, over the pixels of images of one kind.
    public struct Colours: Sendable, Equatable {
        public private(set) var pixels = 0
        var sums: [Int]
        var squares: [Int]

        init(channels: Int) {
            sums = Array(repeating: 0, count: channels)
            squares = sums
        }

        /// Counts gray pixels as pixels with three equal channels.
        init(threeTimes gray: Colours) {
            pixels = gray.pixels
            sums = Array(repeating: gray.sums[0], count: 3)
            squares = Array(repeating: gray.squares[0], count: 3)
        }

        public var mean: [Double] { sums.map { Double($0) / Double(max(1, pixels)) } }
        /// Standard deviation over all pixels, about the mean.
        public var deviation: [Double] {
            zip(mean, squares).map { mean, square in
                max(0, Double(square) / Double(max(1, pixels)) - mean * mean).squareRoot()
            }
        }

        /// For a source's images as a network with this number of channels sees them; unreadable ones are left out.
        /// - Parameter limit: the maximum number of images, spread evenly.
        public static func measured(
            of source: any SampleSource, channels: Int, limit: Int = 4096,
            threads: Int = LoaderOptions.defaultThreads, maximumPixels: Int = Image.maximumPixels
        ) throws -> (colours: Colours, images: Int) {
            let looked = min(limit, source.count)
            var sum = Colours(channels: channels), images = 0
            for start in stride(from: 0, to: looked, by: 512) {
                let found = try parallelMap(min(512, looked - start), threads: threads) { index -> Colours? in
                    var payload: [UInt8] = [], colours = Colours(channels: channels)
                    let number = (start + index) * source.count / looked
                    guard let header = try? source.readSample(number, epoch: 0, into: &payload),
                        let image = try? ImageDecoder(maximumPixels: maximumPixels).decode(
                            payload, from: header.imageStart, as: Image.Channels(rawValue: channels) ?? .rgb)
                    else { return nil }
                    colours.add(image)
                    return colours
                }
                for colours in found.compactMap({ $0 }) {
                    sum.add(colours)
                    images += 1
                }
            }
            guard images > 0 else { throw AnnealError(source.path, "has no readable image", code: .damaged) }
            return (sum, images)
        }

        mutating func add(_ image: Image) {
            pixels += image.width * image.height
            let channels = image.channels
            image.pixels.withUnsafeBufferPointer { pixels in
                for c in 0..<channels {
                    var sum = 0, square = 0
                    for i in stride(from: c, to: pixels.count, by: channels) {
                        let level = Int(pixels[i])
                        sum += level
                        square += level * level
                    }
                    sums[c] += sum
                    squares[c] += square
                }
            }
        }

        mutating func add(_ other: Colours) {
            pixels += other.pixels
            for c in sums.indices {
                sums[c] += other.sums[c]
                squares[c] += other.squares[c]
            }
        }
    }

    /// Images with identical bytes.
    public struct Duplicates: Sendable, Equatable {
        /// Indices in the source, ascending.
        public var numbers: [Int]
        /// Whether they are in different classes.
        public var labelsDiffer: Bool
    }

    public private(set) var count = 0
    public private(set) var formats: [ImageFormat: Int] = [:]
    public private(set) var sizes: [ImageSurvey.Size: Int] = [:]
    public private(set) var channels: [Int: Int] = [:]
    /// Good images by label; by the first label of records with several.
    public private(set) var labels: [Float: Int] = [:]
    /// The label widths of the records.
    public private(set) var labelWidths: [Int: Int] = [:]
    /// Bytes of the encoded images.
    public private(set) var encodedBytes = 0
    /// As RGB, or as gray if all images are gray.
    public private(set) var colours = Colours(channels: 3)
    public private(set) var bad: [BadRecord] = []
    public private(set) var duplicates: [Duplicates] = []
    /// Images with identical pixels everywhere.
    public private(set) var constant: [Int] = []
    /// SHA-256 of each good image's bytes, for comparing with another source.
    public private(set) var hashes: [String: [Int]] = [:]

    /// - Parameters:
    ///   - limit: the maximum number of images, spread evenly.
    ///   - progress: called with the number of images done.
    /// - Throws: when a decoder cannot be created.
    public init(
        _ source: any SampleSource, limit: Int = .max, threads: Int = LoaderOptions.defaultThreads,
        maximumPixels: Int = Image.maximumPixels, progress: (Int) -> Void = { _ in }
    ) throws {
        let looked = min(limit, source.count)
        var grays = Colours(channels: 1), firstLabels: [String: Float] = [:], differing = Set<String>()
        for start in stride(from: 0, to: looked, by: 512) {
            let samples = try parallelMap(min(512, looked - start), threads: threads) { index in
                Sample((start + index) * source.count / looked, of: source, maximumPixels)
            }
            for sample in samples {
                count += 1
                guard case .good(let image) = sample.found else {
                    if case .bad(let record) = sample.found { bad.append(record) }
                    continue
                }
                formats[image.format, default: 0] += 1
                sizes[image.size, default: 0] += 1
                channels[image.channels, default: 0] += 1
                labels[image.labels.first ?? .nan, default: 0] += 1
                labelWidths[image.labels.count, default: 0] += 1
                encodedBytes += image.bytes
                colours.add(image.colours)
                if let gray = image.gray { grays.add(gray) }
                if image.isConstant { constant.append(sample.number) }
                hashes[image.hash, default: []].append(sample.number)
                let label = image.labels.first ?? .nan
                if firstLabels[image.hash, default: label] != label { differing.insert(image.hash) }
                firstLabels[image.hash] = firstLabels[image.hash] ?? label
            }
            progress(count)
        }
        duplicates = hashes.filter { $0.value.count > 1 }
            .map { Duplicates(numbers: $0.value, labelsDiffer: differing.contains($0.key)) }
            .sorted { $0.numbers[0] < $1.numbers[0] }
        if Array(channels.keys) == [1] { colours = grays }
    }

    /// Images that another source has too: pairs of indices, in this source and the other.
    public func shared(with other: DataStatistics) -> [(here: Int, there: Int)] {
        hashes.compactMap { hash, numbers in other.hashes[hash].map { (here: numbers[0], there: $0[0]) } }
            .sorted { $0.here < $1.here }
    }

    private struct Sample: Sendable {
        struct Good: Sendable {
            var format: ImageFormat
            var size: ImageSurvey.Size
            var channels: Int
            var labels: [Float]
            var bytes: Int
            var colours: Colours
            var gray: Colours?
            var isConstant: Bool
            var hash: String
        }
        enum Found: Sendable {
            case good(Good)
            case bad(BadRecord)
        }

        let number: Int
        let found: Found

        init(_ number: Int, of source: any SampleSource, _ maximumPixels: Int) {
            self.number = number
            var id: UInt64?
            do {
                var payload: [UInt8] = []
                let header = try source.readSample(number, epoch: 0, into: &payload)
                id = header.id
                let encoded = payload[header.imageStart...]
                guard let format = ImageFormat(encoded) else {
                    throw AnnealError("", "\(encoded.count) bytes are not an image", code: .damaged)
                }
                let stored = try ImageDecoder(maximumPixels: maximumPixels).decode(
                    payload, from: header.imageStart, as: .asStored)
                let image = stored.channels == 4 ? stored.withoutAlpha() : stored
                var colours = Colours(channels: image.channels)
                colours.add(image)
                let gray = image.channels == 1 ? colours : nil
                if let gray { colours = Colours(threeTimes: gray) }
                let first = image.pixels.prefix(image.channels)
                found = .good(
                    Good(
                        format: format, size: .init(width: image.width, height: image.height),
                        channels: stored.channels, labels: header.labels, bytes: encoded.count, colours: colours,
                        gray: gray, isConstant: image.isConstant(first), hash: SHA256.digits(of: encoded)))
            } catch {
                let reason = source.placed(error as? AnnealError ?? AnnealError("", "\(error)"), number, id: id)
                found = .bad(BadRecord(number: number, id: id, offset: source.offset(of: number), reason: reason))
            }
        }
    }
}

extension Image {
    fileprivate func isConstant(_ first: ArraySlice<UInt8>) -> Bool {
        pixels.indices.allSatisfy { pixels[$0] == first[$0 % channels] }
    }
}
