import Anneal

/// What a training run writes for `anneal runs`, `watch`, `compare` and `report`, besides its log, metrics and curves.
struct RunReports {
    private let status: StatusWriter
    private let answers: ValidationAnswers?
    private let page: PageWriter
    /// In the order in which they receive events.
    let observers: [any FitObserver]

    /// - Parameters:
    ///   - prefix: the model's prefix.
    ///   - layers: the network's layers.
    init(_ setup: TrainingSetup, folder: RunFolder, prefix: String, classes: Int, layers: RunLayers) {
        let classNames = setup.preprocessing.classNames ?? (0..<classes).map(String.init)
        status = StatusWriter(folder: folder)
        answers = setup.validation.map { validation in
            let source = validation.source
            return ValidationAnswers(folder: folder, classNames: classNames, image: { try source.name(of: $0) })
        }
        page = PageWriter(folder: folder, layers: layers) { [answers] in
            try RunPictures(
                answers?.worst(24) ?? WorstAnswers(limit: 1), validation: setup.validation, training: setup.loader,
                classNames: classNames)
        }
        var observers: [any FitObserver] = [ResultsWriter(folder: folder, prefix: prefix)]
        if let answers { observers.append(answers) }
        self.observers = observers + [status, page]
    }

    /// Receives the batches of each validation.
    func judged(_ source: any BatchSource, _ batch: MetricBatch) throws {
        guard let loader = source as? BatchLoader else { return }
        answers?.add(batch, numbers: loader.sampleNumbers)
    }

    /// Called when the run ends with an error.
    func fail(_ error: any Error) {
        status.fail("\(error)")
        page.fail()
    }
}

/// Writes a run's page and model card when it ends.
private final class PageWriter: FitObserver {
    private let folder: RunFolder
    private let layers: RunLayers
    private let pictures: () throws -> RunPictures

    init(folder: RunFolder, layers: RunLayers, pictures: @escaping () throws -> RunPictures) {
        self.folder = folder
        self.layers = layers
        self.pictures = pictures
    }

    func receive(_ event: FitEvent) throws {
        switch event {
        case .started: try layers.write(to: folder)
        case .finished:
            // The page is written even if an image can no longer be read.
            if let pictures = try? pictures(), !(pictures.worst.isEmpty && pictures.training.isEmpty) {
                try pictures.write(to: folder)
            }
            try ModelCard(inFolder: folder.path).write()
            try write()
        default: break
        }
    }

    func fail() { try? write() }

    private func write() throws {
        try Files.writeAtomically(try RunPage(inFolder: folder.path).html(), to: folder.report)
    }
}

extension RunLayers {
    /// The layers of a network for one image; empty if its shapes cannot be inferred.
    init(network: String, symbol: Symbol, imageShape: [Int]) {
        let summary = try? NetworkSummary(symbol, inputs: [symbol.dataName(): Shape([1] + imageShape)])
        self.init(
            network: network, imageShape: imageShape,
            layers: (summary?.layers ?? []).map { layer in
                Layer(
                    name: layer.name,
                    operation: layer.detail.isEmpty ? layer.operation : "\(layer.operation) \(layer.detail)",
                    output: Array(layer.outputShape.dims.dropFirst()), parameters: layer.parameters,
                    multiplyAdds: layer.multiplyAdds)
            })
    }
}
