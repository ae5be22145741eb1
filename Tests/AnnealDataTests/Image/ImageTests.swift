import AnnealData
import Testing

@Suite struct ImageTests {
    @Test func cropsAndBorders() {
        let image = Image(width: 3, height: 2, channels: 1, pixels: [1, 2, 3, 4, 5, 6])
        #expect(image.cropped(x: 1, y: 0, width: 2, height: 2).pixels == [2, 3, 5, 6])
        let padded = image.padded(1, with: 9)
        #expect(padded.width == 5 && padded.height == 4)
        #expect(padded.pixels == [9, 9, 9, 9, 9, 9, 1, 2, 3, 9, 9, 4, 5, 6, 9, 9, 9, 9, 9, 9])
    }

    /// By hand: 4 pixels to 2 is the mean of pairs; 2 to 4 has weights 1, 3/4, 1/4 and 0.
    @Test func resizesByKnownWeights() {
        let row = Image(width: 4, height: 2, channels: 1, pixels: [0, 10, 20, 40, 0, 10, 20, 40])
        #expect(row.resized(width: 2, height: 1).pixels == [5, 30])
        let pair = Image(width: 2, height: 1, channels: 1, pixels: [0, 100])
        #expect(pair.resized(width: 4, height: 1).pixels == [0, 25, 75, 100])
        #expect(row.resized(width: 2, height: 2, .nearest).pixels == [0, 20, 0, 20])
        #expect(row.resized(width: 2, height: 1, .area).pixels == [5, 30])
    }

    @Test(arguments: [Interpolation.nearest, .bilinear, .cubic, .area, .automatic])
    func aFlatImageStaysFlat(interpolation: Interpolation) {
        let flat = Image(width: 7, height: 5, channels: 3, filledWith: 128)
        for (width, height) in [(3, 2), (14, 10), (9, 3), (4, 11), (1, 1)] {
            let resized = flat.resized(width: width, height: height, interpolation)
            // OpenCV's vertical blend may lose a level; see ResizeTaps.
            #expect(resized.pixels.allSatisfy { (127...128).contains($0) })
        }
    }

    @Test func theShortSideLeads() {
        let image = Image(width: 7, height: 5, channels: 1, filledWith: 0)
        let resized = image.resizedShortSide(to: 3)
        #expect(resized.width == 4 && resized.height == 3)
        let high = Image(width: 5, height: 7, channels: 1, filledWith: 0).resizedShortSide(to: 3)
        #expect(high.width == 3 && high.height == 4)
    }
}
