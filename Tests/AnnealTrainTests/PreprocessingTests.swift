import AnnealCore
import AnnealTrain
import Foundation
import Testing

@Suite struct PreprocessingTests {
    /// What buffers cannot be made of.
    @Test(
        arguments: [([3, 1 << 40, 1 << 40], nil), ([3, 8, 8], Int.max), ([3, 8, 8], 0), ([3, 8], nil)]
            as [([Int], Int?)])
    func impossibleSizesAreRefused(imageShape: [Int], resize: Int?) throws {
        let folder = NSTemporaryDirectory() + "anneal-preprocessing-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let zeros: [Float] = [0, 0, 0]
        try Preprocessing(imageShape: imageShape, mean: zeros, std: zeros, resize: resize).save(prefix: folder + "/m")
        let error = #expect(throws: AnnealError.self) { try Preprocessing.load(prefix: folder + "/m") }
        #expect(error?.place == folder + "/m-preprocessing.json")
    }
}
