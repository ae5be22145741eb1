import AnnealCore
import AnnealData
import Testing

/// Expected pixels by hand.
@Suite struct ImageOperationTests {
    private func gray(_ width: Int, _ height: Int, _ pixels: [UInt8]) -> Image {
        Image(width: width, height: height, channels: 1, pixels: pixels)
    }

    private func applied(_ operation: ImageOperation, _ magnitude: Float, _ image: Image) -> [UInt8] {
        operation.applied(to: image, magnitude, fill: 0).pixels
    }

    @Test func geometry() {
        let two = gray(3, 2, [1, 2, 3, 4, 5, 6])
        // The middle of row 0 is half a pixel from the top, that of row 1 one and a half.
        #expect(applied(.shearX, 0.5, two) == [1, 2, 3, 5, 6, 0])
        #expect(applied(.shearY, 0.5, two) == [1, 5, 6, 4, 0, 0])
        #expect(applied(.translateX, 1.9, two) == [0, 1, 2, 0, 4, 5])
        #expect(applied(.translateX, -1, two) == [2, 3, 0, 5, 6, 0])
        #expect(applied(.translateY, 1, two) == [0, 0, 0, 1, 2, 3])
        let three = gray(3, 3, [1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(applied(.rotate, 90, three) == [3, 6, 9, 2, 5, 8, 1, 4, 7])
        #expect(applied(.rotate, -90, three) == [7, 4, 1, 8, 5, 2, 9, 6, 3])
    }

    @Test func colours() {
        #expect(applied(.brightness, -0.5, gray(3, 1, [0, 101, 255])) == [0, 50, 127])
        #expect(applied(.brightness, 0.5, gray(3, 1, [0, 101, 255])) == [0, 151, 255])
        #expect(applied(.contrast, 0.5, gray(2, 1, [0, 100])) == [0, 125])
        #expect(applied(.contrast, -0.5, gray(2, 1, [0, 100])) == [25, 75])
        // The gray of red is 76.2.
        let red = Image(width: 1, height: 1, channels: 3, pixels: [255, 0, 0])
        #expect(applied(.color, -0.5, red) == [165, 38, 38])
        #expect(applied(.color, 0.5, red) == [255, 0, 0])
        #expect(applied(.posterize, 6, gray(3, 1, [63, 200, 255])) == [0, 192, 192])
        #expect(applied(.posterize, 1, gray(2, 1, [1, 255])) == [0, 254])
        #expect(applied(.solarize, 55, gray(3, 1, [199, 200, 255])) == [199, 55, 0])
        #expect(applied(.solarize, 255, gray(2, 1, [0, 255])) == [255, 0])
    }

    @Test func sharpness() {
        let spot = gray(3, 3, [0, 0, 0, 0, 13, 0, 0, 0, 0])
        // Smoothed it is 5 * 13 / 13.
        #expect(applied(.sharpness, -1, spot)[4] == 5)
        #expect(applied(.sharpness, 0.5, spot)[4] == 17)
        // The outermost pixels are unchanged, and so are small images.
        let edge = gray(3, 3, [90, 0, 90, 0, 0, 0, 90, 0, 90])
        #expect(applied(.sharpness, -1, edge) == [90, 0, 90, 0, 28, 0, 90, 0, 90])
        #expect(applied(.sharpness, -1, gray(2, 2, [1, 9, 9, 1])) == [1, 9, 9, 1])
    }

    @Test func histograms() {
        #expect(applied(.autoContrast, 0, gray(3, 1, [50, 100, 150])) == [0, 127, 255])
        #expect(applied(.autoContrast, 0, gray(2, 1, [9, 9])) == [9, 9])
        // Each channel separately.
        let colours = Image(width: 2, height: 1, channels: 3, pixels: [10, 0, 7, 20, 255, 7])
        #expect(applied(.autoContrast, 0, colours) == [0, 0, 7, 255, 255, 7])
        // 256 pixels below the highest level make a step of 1.
        let half = gray(256, 2, Array(repeating: 10, count: 256) + Array(repeating: 20, count: 256))
        #expect(
            Set(applied(.equalize, 0, half).prefix(256)) == [0] && Set(applied(.equalize, 0, half).suffix(256)) == [255]
        )
        // 510, of which 170 are below the middle level: 170 + 1 over 2.
        let thirds = gray(170, 4, [5, 6, 7, 8].flatMap { Array(repeating: UInt8($0), count: 170) })
        #expect(stride(from: 0, to: 680, by: 170).map { applied(.equalize, 0, thirds)[$0] } == [0, 85, 170, 255])
        // Fewer than 255 below the highest: nothing happens.
        #expect(applied(.equalize, 0, gray(3, 1, [1, 2, 3])) == [1, 2, 3])
    }

    @Test(arguments: [1, 3]) func everyStrengthKeepsTheShape(channels: Int) {
        let image = pattern(9, 7, channels)
        for operation in ImageOperation.searched {
            for step in -30...30 {
                let result = operation.applied(to: image, operation.wideRange * Float(step).magnitude / 30, fill: 7)
                #expect(result.width == 9 && result.height == 7 && result.channels == channels)
            }
        }
        let neutral: [ImageOperation] = [
            .identity, .shearX, .shearY, .translateX, .translateY, .rotate, .brightness, .color, .contrast, .sharpness,
            .posterize,
        ]
        for operation in neutral { #expect(operation.applied(to: image, 0, fill: 7) == image, "\(operation)") }
    }

    @Test func theWholeTableIsDrawn() throws {
        // A flat image tells operations apart: geometric ones bring in the fill, colour operations change the level,
        // the rest does nothing.
        let flat = Image(width: 9, height: 9, channels: 3, filledWith: 101)
        var augmentation = Augmentation()
        augmentation.trivialAugment = true
        augmentation.fillValue = 0
        var maps = 0, levels: Set<UInt8> = [], same = 0
        for sample in 0..<1400 {
            let image = try augmentation.applied(
                to: flat, height: 9, width: 9, key: .init(seed: 0, epoch: 0, sample: sample)
            ).image
            if image == flat {
                same += 1
            } else if Set(image.pixels).count == 1, image.pixels[0] != 0 {
                levels.insert(image.pixels[0])
            } else {
                maps += 1
            }
        }
        // 5 of 14 operations are geometric, and most of their strengths reach the border; of the other 9 only
        // brightness, posterize and solarize change the colour.
        #expect((380...520).contains(maps), "\(maps)")
        #expect((500...760).contains(same), "\(same)")
        // Both directions of brightness, and all that bits and thresholds leave.
        #expect(
            levels.contains { $0 > 180 } && levels.contains { $0 < 20 } && levels.contains(154), "\(levels.sorted())")
    }
}
