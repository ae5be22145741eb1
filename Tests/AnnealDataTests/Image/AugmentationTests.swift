import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct AugmentationTests {
    private func apply(
        _ image: Image, height: Int? = nil, width: Int? = nil, seed: UInt64 = 0, epoch: Int = 0, sample: Int = 0,
        normalization: Normalization = Normalization(), _ change: (inout Augmentation) -> Void
    ) throws -> Augmentation.Result {
        var augmentation = Augmentation()
        change(&augmentation)
        return try augmentation.applied(
            to: image, height: height ?? image.height, width: width ?? image.width, normalization: normalization,
            key: .init(seed: seed, epoch: epoch, sample: sample))
    }

    @Test func settingsOfNoEffectLeavePixelsAlone() throws {
        let image = pattern(12, 10)
        let result = try apply(image) {
            $0.resizedCrop = RandomResizedCrop()
            $0.padMode = .reflect
            $0.erasing.value = .noise
            $0.mirrorMode = .alternate
        }
        #expect(result.image == image && !result.mirrored)
    }

    /// Disabled steps draw no numbers: crop and mirror are the first numbers of the sample's stream, as always.
    @Test func cropAndMirrorKeepTheirNumbers() throws {
        let image = pattern(12, 10)
        for sample in 0..<20 {
            var random = Random(seed: 5, purpose: .augment, epoch: 3, index: sample)
            let y = random.below(7), x = random.below(7)
            let result = try apply(image, height: 8, width: 10, seed: 5, epoch: 3, sample: sample) {
                $0.pad = 2
                $0.fillValue = 9
                $0.randomCrop = true
                $0.randomMirror = true
            }
            #expect(result.image == image.padded(2, with: 9).cropped(x: x, y: y, width: 10, height: 8))
            #expect(result.mirrored == random.bool())
            // MXNet's mirror mirrors every image, whatever rand_mirror draws.
            let always = try apply(image, sample: sample) {
                $0.mirror = true
                $0.randomMirror = true
            }
            #expect(always.mirrored)
        }
    }

    @Test func bordersReflect() {
        let row = Image(width: 3, height: 1, channels: 1, pixels: [1, 2, 3])
        #expect(row.paddedByReflection(1).pixels == [2, 1, 2, 3, 2, 2, 1, 2, 3, 2, 2, 1, 2, 3, 2])
        // Back and forth if the border is wider than the image.
        #expect(Array(row.paddedByReflection(5).pixels.prefix(13)) == [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2])
        let square = Image(width: 2, height: 2, channels: 1, pixels: [1, 2, 3, 4])
        #expect(
            square.paddedByReflection(1).pixels == [4, 3, 4, 3, 2, 1, 2, 1, 4, 3, 4, 3, 2, 1, 2, 1])
        let colours = Image(width: 2, height: 1, channels: 3, pixels: [1, 2, 3, 4, 5, 6])
        #expect(Array(colours.paddedByReflection(1).pixels.prefix(12)) == [4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3])
    }

    @Test func alternatingMirrorsShowBothSides() throws {
        let image = pattern(4, 4)
        func mirrored(_ sample: Int, _ epoch: Int, seed: UInt64 = 1) throws -> Bool {
            try apply(image, seed: seed, epoch: epoch, sample: sample) {
                $0.randomMirror = true
                $0.mirrorMode = .alternate
            }.mirrored
        }
        var first = 0, other = 0
        for sample in 0..<400 {
            let begin = try mirrored(sample, 0)
            for epoch in 1..<4 { #expect(try mirrored(sample, epoch) == (begin != (epoch % 2 == 1))) }
            first += begin ? 1 : 0
            other += try begin == mirrored(sample, 0, seed: 2) ? 1 : 0
        }
        #expect((150...250).contains(first) && (150...250).contains(other))
    }

    /// Pixels that encode their position.
    private func map(_ side: Int) -> Image {
        Image(
            width: side, height: side, channels: 3,
            pixels: (0..<(side * side)).flatMap { [UInt8($0 % side), UInt8($0 / side), 0] })
    }

    @Test func resizedCropsHaveTheirAreasAndRatios() throws {
        var areas: [Double] = [], ratios: [Double] = [], corners: Set<UInt8> = []
        for sample in 0..<400 {
            let image = try apply(map(100), sample: sample) {
                $0.resizedCrop = RandomResizedCrop(area: 0.1...0.5, ratio: 0.75...1.25)
                $0.interpolation = .nearest
            }.image
            #expect(image.width == 100 && image.height == 100)
            let x = image.pixels[0]...image.pixels[99 * 3], y = image.pixels[1]...image.pixels[100 * 99 * 3 + 1]
            areas.append(Double(x.count * y.count) / 10_000)
            ratios.append(Double(x.count) / Double(y.count))
            corners.insert(x.lowerBound)
        }
        // A side is rounded by half a pixel of at least 28.
        #expect(areas.allSatisfy { (0.095...0.52).contains($0) })
        #expect(areas.contains { $0 < 0.15 } && areas.contains { $0 > 0.45 })
        #expect(ratios.allSatisfy { (0.72...1.4).contains($0) })
        // Either side may be the longer one: 1 / 0.75 is beyond 1.25.
        #expect(ratios.contains { $0 < 0.85 } && ratios.contains { $0 > 1.26 })
        #expect(corners.count > 40)
    }

    @Test func whatFitsNowhereIsCroppedInTheMiddle() throws {
        let image = map(20).cropped(x: 0, y: 0, width: 20, height: 4)
        let result = try apply(image, height: 4, width: 4) {
            $0.resizedCrop = RandomResizedCrop(area: 1...1, ratio: 0.9...1)
        }
        #expect(result.image == image.cropped(x: 8, y: 0, width: 4, height: 4))
    }

    @Test func brightnessContrastAndSaturation() throws {
        let flat = Image(width: 4, height: 4, channels: 3, filledWith: 100)
        var levels: [Int] = []
        for sample in 0..<400 {
            let image = try apply(flat, sample: sample) { $0.colour.brightness = 0.4 }.image
            #expect(Set(image.pixels).count == 1)
            levels.append(Int(image.pixels[0]))
            // Without differences there is nothing to amplify.
            #expect(
                try apply(flat, sample: sample) {
                    $0.colour.contrast = 0.4
                    $0.colour.saturation = 0.4
                }.image == flat)
        }
        #expect((60...62).contains(levels.min() ?? 0) && (138...140).contains(levels.max() ?? 0))
        #expect((97...103).contains(levels.reduce(0, +) / 400))

        let pair = Image(width: 2, height: 1, channels: 1, pixels: [50, 150])
        let red = Image(width: 1, height: 1, channels: 3, pixels: [255, 0, 0])
        for sample in 0..<50 {
            let contrast = try apply(pair, sample: sample) { $0.colour.contrast = 0.5 }.image.pixels
            #expect(abs(Int(contrast[0]) + Int(contrast[1]) - 200) <= 1 && (25...75).contains(contrast[0]))
            // MXNet's gray of red is that of blue, 0.114 * 255.
            let pixel = try apply(red, sample: sample) { $0.colour.saturation = 0.5 }.image.pixels.map(Double.init)
            let factor = (pixel[0] - 29) / 226
            if pixel[0] < 255 { #expect(abs(pixel[1] - 29 * (1 - factor)) <= 1 && pixel[1] == pixel[2]) }
        }
    }

    @Test func principalColoursAreAddedToAllPixels() throws {
        let gray = Image(width: 3, height: 3, channels: 3, filledWith: 128)
        var sums = [0.0, 0.0, 0.0]
        for sample in 0..<500 {
            let pixels = try apply(gray, sample: sample) { $0.colour.pcaNoise = 0.1 }.image.pixels
            #expect((3..<27).allSatisfy { pixels[$0] == pixels[$0 - 3] })
            for c in 0..<3 { sums[c] += pow(Double(pixels[c]) + 0.5 - 128, 2) }
        }
        // 0.1 times the norm of each row of eigenvalues times eigenvectors: 3.17, 3.22, 3.25; MXNet's own: 3.20, 3.24, 3.27.
        for (sum, expected) in zip(sums, [3.17, 3.22, 3.25]) {
            #expect(abs((sum / 500).squareRoot() - expected) < 0.4)
        }
    }

    /// Made by MXNet 1.9.1 from the same image, with hue, saturation and lightness changed by unreported amounts.
    @Test func mapsAndShiftsAreMXNets() throws {
        let path =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
            + "/../../Fixtures/augmentation/mxnet.json"
        let json = try #require(try JSONSerialization.jsonObject(with: Files.read(path)) as? [String: Any])
        let image = pattern(try #require(json["width"] as? Int), try #require(json["height"] as? Int))
        func compare(_ name: String, _ change: (inout Augmentation) -> Void) throws {
            let expected = try #require(json[name] as? [Int])
            let found = try apply(image, change).image.pixels.map(Int.init)
            #expect(found.count == expected.count)
            let apart = zip(found, expected).map { abs($0 - $1) }.max() ?? 0
            #expect(apart == 0, "\(name): \(apart) levels apart")
        }
        try compare("rotate 30") {
            $0.affine.rotation = 30...30
            $0.fillValue = 127
        }
        try compare("scale 1.5") { $0.affine.scale = 1.5...1.5 }
        try compare("aspect 1.4") {
            $0.affine.aspect = 1.4...1.4
            $0.fillValue = 10
        }
        func shifted(_ name: String, by shift: (inout Image, Int) -> Void) throws {
            for expected in try #require(json[name] as? [[Int]]) {
                let matches = (-50...50).filter { amount in
                    var changed = image
                    shift(&changed, amount)
                    return changed.pixels.map(Int.init) == expected
                }
                #expect(!matches.isEmpty, "\(name)")
            }
        }
        try shifted("shifts of h") { $0.shiftHSL(h: $1, s: 0, l: 0) }
        try shifted("shifts of s") { $0.shiftHSL(h: 0, s: $1, l: 0) }
        try shifted("shifts of l") { $0.shiftHSL(h: 0, s: 0, l: $1) }
    }

    @Test func shearMovesRows() throws {
        let image = pattern(9, 9)
        var shifts: Set<[UInt8]> = []
        for sample in 0..<60 {
            let sheared = try apply(image, sample: sample) {
                $0.affine.shear = 0.5
                $0.interpolation = .nearest
            }.image
            // Rows stay rows: each is a run of the old one, with the border's colour at one end.
            for y in 0..<9 {
                let row = Array(sheared.pixels[(y * 27)..<(y * 27 + 27)]), old = image.pixels[(y * 27)..<(y * 27 + 27)]
                let kept = row.filter { $0 != 255 }
                let text = kept.map { "\($0)" }.joined(separator: ",")
                #expect(old.filter { $0 != 255 }.map { "\($0)" }.joined(separator: ",").contains(text))
            }
            shifts.insert(sheared.pixels)
        }
        // Rows 1 to 4 from the middle jump by a pixel at 1/8, 1/6, 1/4 and 3/8, on either side.
        #expect(shifts.count >= 9)
    }

    private func erased(_ image: Image, from old: Image) -> (count: Int, isRectangle: Bool) {
        let places = (0..<(image.width * image.height)).filter { image.pixels[$0 * 3] != old.pixels[$0 * 3] }
        let columns = places.map { $0 % image.width }, rows = places.map { $0 / image.width }
        guard let left = columns.min(), let right = columns.max(), let top = rows.min(), let bottom = rows.max() else {
            return (0, true)
        }
        return (places.count, places.count == (right - left + 1) * (bottom - top + 1))
    }

    @Test func randomErasingPaintsRectangles() throws {
        let black = Image(width: 32, height: 32, channels: 3, filledWith: 0)
        var counts: [Int] = []
        for sample in 0..<400 {
            let image = try apply(black, sample: sample) {
                $0.erasing.probability = 0.25
                $0.erasing.value = .level(7)
            }.image
            #expect(Set(image.pixels).isSubset(of: [0, 7]))
            let (count, isRectangle) = erased(image, from: black)
            #expect(isRectangle)
            if count > 0 { counts.append(count) }
        }
        #expect((70...130).contains(counts.count))
        // Sides are rounded.
        #expect(
            counts.allSatisfy { (15...360).contains($0) } && counts.contains { $0 < 80 } && counts.contains { $0 > 250 }
        )
    }

    @Test func whatIsPainted() throws {
        let black = Image(width: 16, height: 16, channels: 3, filledWith: 0)
        let normalization = Normalization(mean: [125.3, 123, 113.9], std: [20, 20, 20])
        func painted(_ value: Erasing.Value) throws -> Image {
            try apply(black, normalization: normalization) {
                $0.erasing.cutout = 64
                $0.erasing.value = value
            }.image
        }
        // A square of 64 around any pixel covers all 16.
        #expect(Array(try painted(.mean).pixels.prefix(6)) == [125, 123, 114, 125, 123, 114])
        let noise = try painted(.noise).pixels.map { Double($0) }
        let mean = noise.reduce(0, +) / Double(noise.count)
        let deviation = (noise.reduce(0) { $0 + pow($1 - mean, 2) } / Double(noise.count)).squareRoot()
        #expect(abs(mean - 120.7) < 3 && (16...25).contains(deviation))
    }

    @Test func cutoutIsASquareCutOffAtTheBorder() throws {
        let black = Image(width: 12, height: 10, channels: 3, filledWith: 0)
        var counts: [Int: Int] = [:]
        for sample in 0..<600 {
            let image = try apply(black, sample: sample) {
                $0.erasing.cutout = 4
                $0.erasing.value = .level(9)
            }.image
            let (count, isRectangle) = erased(image, from: black)
            #expect(isRectangle && (4...16).contains(count))
            counts[count, default: 0] += 1
        }
        // Whole where the middle is 2 ... 10 of 12 columns and 2 ... 8 of 10 rows: 63 of 120 places.
        #expect((260...370).contains(counts[16] ?? 0))
        #expect((counts[4] ?? 0) > 0)
    }

    /// Everything at once: the pixels depend only on seed, epoch and sample.
    @Test func threadsDoNotChangeAPixel() throws {
        let folder = try TemporaryFolder()
        try writeRecords("\(folder.path)/a.rec", count: 40)
        func all(_ threads: Int, seed: UInt64 = 3, epoch: Int = 2) throws -> [Batch] {
            var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 8)
            options.threads = threads
            options.seed = seed
            options.shuffle = true
            options.augmentation.affine.rotation = -20...20
            options.augmentation.affine.shear = 0.2
            options.augmentation.pad = 1
            options.augmentation.padMode = .reflect
            options.augmentation.resizedCrop = RandomResizedCrop(area: 0.3...1, ratio: 0.8...1.2)
            options.augmentation.colour.brightness = 0.4
            options.augmentation.colour.saturation = 0.4
            options.augmentation.colour.randomH = 20
            options.augmentation.colour.pcaNoise = 0.1
            options.augmentation.trivialAugment = true
            options.augmentation.erasing.probability = 0.5
            options.augmentation.erasing.value = .noise
            options.augmentation.randomMirror = true
            options.augmentation.mirrorMode = .alternate
            return try batches(try BatchLoader(try RecordFile("\(folder.path)/a.rec"), options: options), epoch: epoch)
        }
        let expected = try all(1)
        #expect(try all(3) == expected)
        #expect(try all(2, seed: 4) != expected)
        #expect(try all(2, epoch: 3) != expected)
    }

    static let wrong: [(String, Int, @Sendable (inout Augmentation) -> Void)] = [
        ("--max-random-shear-ratio: is nan", 3, { $0.affine.shear = .nan }),
        ("--min-random-scale and --max-random-scale: span 0.0 to 1.0", 3, { $0.affine.scale = 0...1 }),
        ("--min-random-area", 3, { $0.resizedCrop = RandomResizedCrop(area: 0.5...2) }),
        (
            "--random-resized-crop: excludes", 3,
            {
                $0.resizedCrop = RandomResizedCrop()
                $0.randomCrop = true
            }
        ),
        ("--brightness: is -0.1", 3, { $0.colour.brightness = -0.1 }),
        ("--max-random-l: is 300", 3, { $0.colour.randomL = 300 }),
        ("these have 1 channel", 1, { $0.colour.saturation = 0.1 }),
        ("these have 4 channels", 4, { $0.colour.brightness = 0.1 }),
        ("--trivial-augment, --rand-augment and --auto-augment: are for RGB and gray", 4, { $0.trivialAugment = true }),
        ("--random-erasing: is 1.5", 3, { $0.erasing.probability = 1.5 }),
        ("--cutout: is -1", 3, { $0.erasing.cutout = -1 }),
        ("--pad-size: is -1", 3, { $0.pad = -1 }),
    ]

    @Test(arguments: wrong.indices) func settingsThatMakeNoSenseAreNamed(_ index: Int) throws {
        let (text, channels, change) = Self.wrong[index]
        var augmentation = Augmentation()
        change(&augmentation)
        let found = message { try augmentation.check(channels: channels) }
        #expect(found.contains(text), "\(found)")
    }
}
