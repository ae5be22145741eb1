import Anneal
import Foundation

extension TrainingOptions {
    /// Writes a run for other tools.
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
    /// The values of every parameter, and of the gradients of trained ones.
    fileprivate func distributions() throws -> [(name: String, values: [Float])] {
        try parameters.names.flatMap { name in
            let weights = ("weights/\(name)", try parameters.tensor(name).elements)
            guard !parameters.isAuxiliary(name), let gradient = try? gradient(name) else { return [weights] }
            return [weights, ("gradients/\(name)", gradient.elements)]
        }
    }
}
