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
        let curve = LearningRateCurve(search)
        // The fall is steepest at 1e-3; its end and the rise, e^-6(x+3) = e^8(x+1) about, meet near 10^-1.9.
        let steepest = try #require(curve.steepest), lowest = try #require(curve.lowest)
        #expect((5e-4...2e-3).contains(steepest.rate))
        #expect((5e-3...2e-2).contains(lowest.rate))
        guard case .suggestion(let rate) = curve.finding else {
            Issue.record("\(curve.finding)")
            return
        }
        #expect(rate >= steepest.rate && rate < lowest.rate)
        #expect(LearningRateReport(search, title: "").suggestion.contains("diverged"))
    }

    /// Losses of single images: their standard deviation is a third of the loss. The result does not depend on the
    /// seed.
    @Test(arguments: 0..<12) func noiseDoesNotChangeTheSuggestion(_ seed: Int) throws {
        var random = Random(seed: UInt64(seed), purpose: .test)
        var noisy = try LearningRateSearch(steps: 400), flat = try LearningRateSearch(steps: 400)
        while !noisy.isOver {
            let place = -6 + Double(noisy.points.count) / 399 * 7
            // From 2.3 to 1 around 10^-2.5, and up above 1.
            let loss = 1 + 1.3 / (1 + exp(5 * (place + 2.5))) + exp(6 * place)
            noisy.add(loss: max(0, loss + Double(random.uniform(-1.3, 1.3))))
        }
        while !flat.isOver { flat.add(loss: 2.3 + Double(random.uniform(-1.3, 1.3))) }
        #expect(flat.points.count == 400)
        #expect(LearningRateCurve(flat).finding == .noClearDescent)
        #expect(LearningRateReport(flat, title: "").suggestion.contains("--batch-size"))
        guard case .suggestion(let rate) = LearningRateCurve(noisy).finding else {
            Issue.record("no suggestion")
            return
        }
        // Well below 0.3, where the loss begins to rise, and not before 10^-3, where it begins to fall.
        #expect((2e-3...0.1).contains(rate), "\(rate)")
    }

    /// From 2.3 to 1 around 10^-3.5, then flat, and from 10^-1.5 on up to 50: the right rates are in between. The losses of a
    /// batch vary with one over the root of its images.
    @Test(arguments: [4, 16, 64], 0..<6) func theSuggestionIsInTheValley(_ batch: Int, _ seed: Int) throws {
        var random = Random(seed: UInt64(seed), purpose: .test)
        let steps = LearningRateSearch.usualSteps(batchSize: batch), deviation = 1.2 / Double(batch).squareRoot()
        var search = try LearningRateSearch(steps: steps)
        while !search.isOver {
            let place = -6 + Double(search.points.count) / Double(steps - 1) * 7
            let loss = min(50, 1 + 1.3 / (1 + exp(5 * (place + 3.5))) + exp(5 * (place + 1.5)))
            search.add(loss: loss * exp(deviation * Double(random.normal()) - deviation * deviation / 2))
        }
        #expect(search.hasDiverged)
        guard case .suggestion(let rate) = LearningRateCurve(search).finding else {
            Issue.record("no suggestion")
            return
        }
        #expect((1e-3...1.5e-2).contains(rate), "\(rate)")
    }

    @Test func stopsAtItsLastStepAndAtANumberThatIsNone() throws {
        let short = try search(to: 1e-2)
        #expect(short.points.count == 200)
        // The loss was still falling: a higher rate may be better.
        #expect(LearningRateCurve(short).finding == .stillFalling)
        #expect(LearningRateReport(short, title: "").suggestion.contains("--to"))
        var broken = try LearningRateSearch()
        for loss in [2, 1, Double.nan] { broken.add(loss: loss) }
        #expect(broken.isOver && LearningRateCurve(broken).finding == .noClearDescent)
        let report = LearningRateReport(broken, title: "")
        #expect(report.suggestion.contains("No suggestion"))
        #expect(report.csv.split(separator: "\n").count == 4)
        _ = try report.chart.svg()
    }

    @Test func aSearchThatWasStoppedSaysSo() throws {
        var search = try LearningRateSearch()
        for _ in 0..<17 { search.add(loss: 2) }
        let suggestion = LearningRateReport(search, title: "").suggestion
        #expect(suggestion.contains("No suggestion: the search was stopped after 17 of 200 updates"), "\(suggestion)")
    }

    /// A loss that jumps about where it began has not diverged, whatever its lowest batch was.
    @Test func divergenceIsAboveTheFirstLosses() throws {
        var search = try LearningRateSearch(steps: 100)
        for _ in 0..<30 { search.add(loss: 2) }
        for _ in 0..<20 { search.add(loss: 0.1) }
        for _ in 0..<20 { search.add(loss: 1.9) }
        #expect(!search.hasDiverged)
        for _ in 0..<30 where !search.isOver { search.add(loss: 4) }
        #expect(search.hasDiverged && search.points.count < 100)
    }

    @Test func smallBatchesAreSearchedLonger() {
        #expect([1, 2, 4, 8, 128].map(LearningRateSearch.usualSteps) == [2000, 2000, 1600, 800, 200])
    }

    @Test func theAxisHasPowersOfTen() throws {
        let chart = LearningRateReport(try search(), title: "").chart
        #expect(chart.xScale == .logarithmic && chart.panels[0].series.map(\.label) == ["", "smoothed"])
        #expect(Ticks.decades(1e-6...10, count: 12).labels.prefix(4) == ["0.000001", "0.00001", "0.0001", "0.001"])
        #expect(Ticks.decades(1e-6...10, count: 12).labels.suffix(4) == ["0.01", "0.1", "1", "10"])
        #expect([0.000023, 4.5e-9, 0.25, 0].map(Ticks.decimal) == ["0.000023", "4.5e-9", "0.25", "0"])
    }

    @Test func badRangesAreErrors() {
        #expect(throws: AnnealError.self) { try LearningRateSearch(from: 0) }
        #expect(throws: AnnealError.self) { try LearningRateSearch(from: 1, to: 0.1) }
        #expect(throws: AnnealError.self) { try LearningRateSearch(steps: 3) }
    }
}
