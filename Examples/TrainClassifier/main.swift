import Anneal

// Trains LeNet on gray 28x28 records through the library alone: train-classifier FILE.rec
func train(on path: String) throws {
    let network = try Networks.symbol("lenet", NetworkOptions(numClasses: 10, imageShape: [1, 28, 28]))
    var options = LoaderOptions(dataShape: [1, 28, 28], batchSize: 128)
    options.shuffle = true
    options.normalization = Normalization(mean: [72.9], std: [90])
    let records = try BatchLoader(RecordFile(path), options: options)

    let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.1, "momentum": 0.9, "wd": 1e-4])
    let trainer = try Trainer(network, dataShape: [1, 28, 28], batchSize: 128, optimizer: optimizer)
    try trainer.initialize(Xavier(.gaussian, factor: .fanIn, magnitude: 2))

    for report in try trainer.fit(training: records, epochs: 0..<2) {
        print("epoch \(report.epoch):", report.training.map { "\($0.name) \($0.value)" }.joined(separator: ", "))
    }
    try trainer.save(prefix: ".build/example/lenet", epoch: 2)
}

try train(on: CommandLine.arguments.last ?? "")
