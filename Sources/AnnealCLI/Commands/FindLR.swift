import Anneal
import ArgumentParser
import Foundation

/// Searches for a learning rate.
struct FindLR: MXNetScript {
    static let configuration = CommandConfiguration(
        commandName: "find-lr",
        abstract: "Find a learning rate: a curve and a suggestion.",
        discussion: """
            Trains as 'anneal train' with the same flags would, while the rate rises by the same factor at every update, until \
            the loss is four times its lowest value (Smith 2017). The curve (SVG, PNG) and its numbers (CSV) go to the run \
            folder; no weights are kept. The suggestion is 0.6 times the middle, on the axis of the chart, of the rates at \
            which the smoothed loss is near its lowest; there is none if the loss did not fall by clearly more than its \
            noise. Ctrl-C writes what was measured so far.

            anneal find-lr --network resnet --num-layers 20 --data-train cifar10_train.rec --random-crop 1 --random-mirror 1
            """)

    @Option(help: ArgumentHelp("The first rate.", valueName: "RATE"))
    var from: Double = 1e-6
    @Option(help: ArgumentHelp("The last rate.", valueName: "RATE"))
    var to: Double = 10
    @Option(
        help: ArgumentHelp(
            "Updates from the first rate to the last (default: 200, more for batches of fewer than 32 images).",
            valueName: "N"))
    var steps: Int?
    @OptionGroup var train: Train

    func run() throws {
        try train.training.check()
        let train = try train.filled(), options = train.training
        let steps = steps ?? LearningRateSearch.usualSteps(batchSize: options.batchSize)
        var search = try flagErrors { try LearningRateSearch(from: from, to: to, steps: steps) }
        guard options.run.loadEpoch == nil else {
            throw UsageError(
                "--load-epoch", "has no effect: the search begins with new weights", suggestion: "leave it out")
        }
        guard options.optimizer.lowercased() != "adadelta" else {
            throw UsageError(
                "--optimizer adadelta", "ignores the learning rate", suggestion: "choose another optimizer")
        }
        var run = try train.trainingRun(continuing: nil)
        let setup = try run.setUp(options, train.data, from: .beginning)
        let interrupt = Interrupt()
        let progress = ProgressLine("Searching", total: steps, unit: "updates")
        var isInterrupted = false
        do {
            try setup.trainer.search(&search, on: setup.training) { _ in
                progress.advance(by: 1)
                if interrupt.check() { throw Stopped() }
            }
        } catch is Stopped {
            isInterrupted = true
        }
        progress.finish()
        let report = LearningRateReport(search, title: "Learning rates for \(run.network)")
        print(report.suggestion)
        // Only now: a search that cannot begin leaves no folder.
        let folder = try RunFolder.open(
            options.run.runFolder ?? RunFolder.defaultPath(command: "find-lr"),
            occupied: options.run.runFolder == nil ? .number : .refuse)
        do { try report.write(to: folder) } catch {
            folder.removeIfEmpty()
            throw error
        }
        print("Curve: \(folder.file("find-lr.png")), .svg, .csv")
        if isInterrupted {
            throw interrupt.interrupted(
                suggestion: "the curve has the \(search.points.count) of \(steps) updates that were done")
        }
    }

    /// Ends the search early.
    private struct Stopped: Error {}
}
