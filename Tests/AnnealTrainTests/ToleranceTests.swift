import AnnealConformance
import Testing

@Suite struct ToleranceTests {
    @Test func rule() {
        let tolerance = Tolerance(rtol: 0.1, atolRelative: 0.01, atol: 0.5)
        // 0.1 * 10 + 0.01 * 100 + 0.5 = 2.5 for the first.
        #expect(tolerance.mismatch("x", [12.5, 100.0], [10.0, 100.0]) == nil)
        let line = tolerance.mismatch("x", [13.0, 100.0, 150.0], [10.0, 100.0, 100.0])
        #expect(line == "x[2] is 150.0, expected 100.0 (4.3 times the tolerance; 2 of 3 values)")
        #expect(tolerance.mismatch("x", [1.0], [1.0, 2.0]) != nil)
        #expect(tolerance.mismatch("x", [Float.nan], [1.0]) != nil)
        #expect(tolerance.mismatch("x", [1.0], [Double.nan]) != nil)
        #expect(tolerance.mismatch("x", [Double.nan, -.infinity], [Double.nan, -.infinity]) == nil)
        #expect(tolerance.mismatch("x", [Double.infinity], [-Double.infinity]) != nil)
    }
}
