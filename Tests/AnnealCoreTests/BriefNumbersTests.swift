import AnnealCore
import Testing

@Suite struct BriefNumbersTests {
    @Test func nounsAreCounted() {
        let found = [
            1.counted("epoch"), 2.counted("epoch"), 0.counted("batch"), 3.counted("class"), 2.counted("image"),
        ]
        #expect(found == ["1 epoch", "2 epochs", "0 batches", "3 classes", "2 images"])
    }

    @Test func numbersHaveFourDigits() {
        #expect([0.93333, 0.05, 1e-5, 123456].map(\.brief) == ["0.9333", "0.05", "1e-05", "123500.0"])
    }
}
