import Anneal
import Foundation
import Testing

@Suite struct LearningRateReportTests {
    /// A loss of 2 that falls to 1 around the rate 1e-3 and shoots up above 0.1.
    private func search(to: Double = 10) throws -> LearningRateSearch {
        var search = try LearningRateSearch(from: 1e-6, to: to, steps: 200)
        while !search.isOver {
            let place = -6 + Double(search.points.count) / 199 * (log10(to) + 6)
            search.add(loss: 1 + 1 / (1 + exp(6 * (place + 3))) + exp(8 * (place + 1)))
        }
        return search
    }

    @Test func findsTheFallAndTheEnd() throws {
        let search = try search()
        #expect(search.hasDiverged && search.points.count < 200)
        // Seven powers of ten in 199 equal factors.
        #expect(abs(search.points[0].rate - 1e-6) < 1e-18)
        #expect(abs(log10(search.points[100].rate) - (-6 + 700.0 / 199)) < 1e-9)
        // The average lags behind by about nine updates, a third of a power of ten.
        let steepest = try #require(search.steepest), lowest = try #require(search.lowest)
        #expect((1e-3...4e-3).contains(steepest.rate))
        #expect((4e-3...1e-1).contains(lowest.rate))
        let last = try #require(search.points.last)
        #expect(last.smoothed > 4 * lowest.smoothed)
        #expect(LearningRateReport(search, title: "").suggestion.contains("diverged"))
    }

    @Test func stopsAtItsLastStepAndAtANumberThatIsNone() throws {
        #expect(try search(to: 1e-2).points.count == 200)
        var broken = try LearningRateSearch()
        for loss in [2, 1, Double.nan] { broken.add(loss: loss) }
        #expect(broken.isOver && broken.lowest != nil && broken.steepest == nil)
        #expect(LearningRateReport(broken, title: "").suggestion.contains("No suggestion"))
    }

    @Test func theAverageIsCorrectedForItsBeginning() throws {
        var search = try LearningRateSearch()
        for loss in [3.0, 1] { search.add(loss: loss) }
        #expect(abs(search.points[0].smoothed - 3) < 1e-12)
        #expect(abs(search.points[1].smoothed - (0.9 * 0.3 + 0.1) / 0.19) < 1e-12)
    }

    @Test func badRangesAreErrors() {
        #expect(throws: AnnealError.self) { try LearningRateSearch(from: 0) }
        #expect(throws: AnnealError.self) { try LearningRateSearch(from: 1, to: 0.1) }
        #expect(throws: AnnealError.self) { try LearningRateSearch(steps: 3) }
    }
}
