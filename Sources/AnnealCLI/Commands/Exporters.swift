import Anneal
import Foundation

extension TrainingOptions {
    /// What writes a run for other tools.
    func exporters(folder: RunFolder, record: RunRecord, trainer: Trainer) -> [any FitObserver] {
        var observers: [any FitObserver] = []
        if let parent = run.tensorboard {
            let name = FilePath(folder.path).name.description
            observers.append(
                TensorBoardWriter(
                    folder: Files.path(parent, name), run: folder, displayBatches: run.dispBatches,
                    arrays: { [histograms = run.histograms] in histograms ? try trainer.distributions() : [] }))
        }
        if let store = run.mlflow { observers.append(MLflowWriter(store: store, folder: folder, record: record)) }
        return observers
    }
}

extension Trainer {
    /// The numbers of every parameter, and of the gradients of those that are trained.
    fileprivate func distributions() throws -> [(name: String, values: [Float])] {
        try parameters.names.flatMap { name in
            let weights = ("weights/\(name)", try parameters.tensor(name).elements)
            guard !parameters.isAuxiliary(name), let gradient = try? gradient(name) else { return [weights] }
            return [weights, ("gradients/\(name)", gradient.elements)]
        }
    }
}

/// MXNet's monitor: every so many batches the root mean square of each parameter and auxiliary state, after the update.
/// The layers' outputs, which MXNet's shows too, are not there in a compiled step.
final class Monitor: FitObserver {
    private let trainer: Trainer
    private let interval: Int
    private let reports: [any FitObserver]
    private var batches = 0

    /// - Parameter interval: 0: off.
    init(_ trainer: Trainer, interval: Int, _ reports: [any FitObserver]) {
        self.trainer = trainer
        self.interval = interval
        self.reports = reports
    }

    func receive(_ event: FitEvent) throws {
        guard interval > 0, case .batch = event else { return }
        batches += 1
        guard (batches - 1) % interval == 0 else { return }
        for name in trainer.parameters.names {
            let values = try trainer.parameters.tensor(name).elements
            let squares = values.reduce(0.0) { $0 + Double($1) * Double($1) }
            let mean = (squares / Double(max(1, values.count))).squareRoot()
            let padded = name.padding(toLength: max(30, name.count), withPad: " ", startingAt: 0)
            let line = "Batch: \(String(format: "%7d", batches)) \(padded) \(Float(mean))\t"
            for report in reports { try report.receive(.note(line)) }
        }
    }
}
