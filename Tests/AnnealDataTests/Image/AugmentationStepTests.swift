import AnnealCore
import AnnealData
import Testing

/// Augmentation as a list of steps, and randomly chosen operations.
@Suite struct AugmentationStepTests {
    private func names(_ change: (inout Augmentation) -> Void) -> [String] {
        var settings = Augmentation()
        change(&settings)
        return settings.steps.map(\.name)
    }

    @Test func settingsAreALists() {
        #expect(names { _ in } == ["crop"])
        let all = names {
            $0.resize = 9
            $0.affine.shear = 0.1
            $0.pad = 2
            $0.resizedCrop = RandomResizedCrop(area: 0.5...1)
            $0.colour.brightness = 0.1
            $0.randAugment = RandAugment()
            $0.erasing.cutout = 2
            $0.randomMirror = true
        }
        #expect(
            all == [
                "resize", "affine map", "border", "random resized crop", "colours", "RandAugment", "erasing", "mirror",
            ])
        #expect(names { $0.autoAugment = .imagenet } == ["crop", "AutoAugment"])
    }

    /// A step from another package: it draws from the sample's random stream, and keeps its position in the list.
    private struct Darker: AugmentationStep {
        let name = "darker"
        func apply(to image: inout Image, _ context: inout AugmentationContext) {
            let level = UInt8(context.random.below(4) * 10)
            for i in image.pixels.indices { image.pixels[i] = level }
        }
    }

    @Test func ownSteps() throws {
        var settings = Augmentation()
        settings.pad = 1
        settings.erasing.cutout = 2
        settings.mirror = true
        func names(_ place: Augmentation.Place) -> [String] { settings.steps(before: place, [Darker()]).map(\.name) }
        #expect(names(.crop) == ["border", "darker", "crop", "erasing", "mirror"])
        #expect(names(.colours) == ["border", "crop", "darker", "erasing", "mirror"])
        #expect(names(.mirror) == ["border", "crop", "erasing", "darker", "mirror"])

        let folder = try TemporaryFolder(), path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 8)
        var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 8)
        options.steps = settings.steps(before: .mirror, [Darker()])
        var seen: [[Float]] = []
        for threads in [1, 3] {
            options.threads = threads
            let batch = try batches(BatchLoader(RecordFile(path), options: options))[0]
            seen.append(stride(from: 0, to: batch.data.count, by: 192).map { batch.data[$0] })
        }
        #expect(seen[0] == seen[1] && Set(seen[0]).isSubset(of: [0, 10, 20, 30]) && Set(seen[0]).count > 1)
        // A list whose result has another shape.
        options.steps = []
        #expect(
            message { _ = try batches(BatchLoader(RecordFile(path), options: options)) }
                .contains("after its augmentation it has 12 x 10 pixels, the network takes 8 x 8"))
    }

    /// torchvision's spaces of strengths: at 9 of 30 for RandAugment, at 9 of 9 for AutoAugment.
    @Test func strengths() {
        let image = Image(width: 331, height: 662, channels: 1, filledWith: 0)
        func range(_ operation: ImageOperation) -> Float { operation.range(width: image.width, height: image.height) }
        #expect(range(.shearX) == 0.3 && range(.rotate) == 30 && range(.contrast) == 0.9)
        #expect(abs(range(.translateX) - 150) < 1e-3 && abs(range(.translateY) - 300) < 1e-3)
        // 8 - round(i / 7.5) bits are left at strength i of 30: at 9 one is lost, at 30 four.
        let white = Image(width: 1, height: 1, channels: 1, filledWith: 255)
        var random = Random(seed: 1, purpose: .test)
        for (strength, level) in [(0, UInt8(255)), (9, 254), (15, 252), (30, 240)] {
            let made = ImageOperation.posterize.applied(
                to: white, strength: Float(strength) / 30, fill: 0, &random)
            #expect(made.pixels == [level], "\(strength)")
        }
        let gray = Image(width: 1, height: 1, channels: 1, filledWith: 100)
        #expect(ImageOperation.invert.applied(to: gray, 0, fill: 0).pixels == [155])
    }

    @Test func chosenByTheSample() throws {
        var settings = Augmentation()
        let image = pattern(20, 20)
        func made(_ sample: Int) throws -> Image {
            try settings.applied(to: image, height: 20, width: 20, key: .init(seed: 3, epoch: 1, sample: sample)).image
        }
        for change in [
            { settings.randAugment = RandAugment(operations: 2, magnitude: 20) },
            {
                settings.randAugment = nil
                settings.autoAugment = .cifar10
            }, { settings.autoAugment = .imagenet },
        ] {
            change()
            let images = try (0..<40).map(made)
            #expect(try (0..<40).map(made) == images)
            // Most of them are changed, and not in the same way.
            #expect(images.count { $0 != image } > 20)
            #expect(Set(images.map { SHA256.digits(of: $0.pixels) }).count > 10)
        }
    }

    @Test func onlyOneOfThem() {
        var settings = Augmentation()
        settings.trivialAugment = true
        settings.autoAugment = .cifar10
        #expect(message { try settings.check(channels: 3) }.contains("are more than one"))
        settings.trivialAugment = false
        settings.autoAugment = nil
        settings.randAugment = RandAugment(operations: 2, magnitude: 31)
        #expect(message { try settings.check(channels: 3) }.contains("--rand-augment: is 2,31"))
        #expect(message { try settings.check(channels: 4) }.contains("4 channels"))
    }
}
