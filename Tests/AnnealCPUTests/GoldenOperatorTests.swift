import AnnealConformance
import Testing

/// MXNet-made cases that come with the package; `make conformance` repeats all there are.
@Suite struct GoldenOperatorTests {
    @Test func fixtures() {
        #expect(runCases(below: packageFolder().appendingPathComponent("Tests/Fixtures/golden").path))
    }
}
