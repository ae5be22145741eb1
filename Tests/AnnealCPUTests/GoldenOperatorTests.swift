import AnnealConformance
import Testing

/// MXNet-made cases that are part of the package; `make conformance` runs all that exist.
@Suite struct GoldenOperatorTests {
    @Test func fixtures() {
        #expect(runCases(below: packageFolder().appendingPathComponent("Tests/Fixtures/golden").path))
    }
}
