import Anneal
import Foundation

/// Kind `training`: a whole MXNet run, compared update by update.
///
/// MXNet counts the rows that pad the last batch in its updates, metrics and scores; the source here does too.
func checkTrainingCase(_ item: Case) throws -> CaseOutcome? {
    guard item.kind == "training" else { return nil }
    let unknown = try item.unknownOperators()
    guard unknown.isEmpty else { return .skipped("no operator \(unknown.joined(separator: ", "))") }
    let symbol = try item.symbol(), io = try item.arrays("io.params")
    let fields = CaseFields(json: item.json)
    guard let batchSize = item.json["batch_size"] as? Int, let epochs = item.json["epochs"] as? Int,
        let name = item.json["optimizer"] as? String, let data = io["data"],
        let label = io["label"] ?? io["softmax_label"]
    else {
        throw AnnealError(item.folder, "case.json has no batch_size, epochs, optimizer, or io.params no data and label")
    }

    var options = try NamedOptions(json: item.json["optimizer_params"] as? [String: Any] ?? [:])
    var schedule: (any LearningRateSchedule)?
    if let scheduler = item.json["lr_scheduler"] as? [String: Any], let type = scheduler["class"] as? String {
        var kwargs = try NamedOptions(json: scheduler["kwargs"] as? [String: Any] ?? [:])
        schedule = try Schedules.make(type, reading: &kwargs)
        guard schedule != nil else { return .skipped("schedule \(type)") }
    }
    let multipliers = try Multipliers(symbol: symbol)
    guard let optimizer = try Optimizers.make(name, reading: &options, schedule: schedule, multipliers: multipliers),
        options.unused.isEmpty
    else { return .skipped("optimizer \(name) \(options.unused.joined(separator: ", "))") }
    // The trainer divides by the batch size; the case's own factor replaces it.
    let rescale = (item.json["rescale_grad"] as? NSNumber)?.doubleValue ?? 1 / Double(batchSize)
    optimizer.settings.rescaleGradient = rescale * Double(batchSize)
    let shape = Shape(Array(data.shape.dims.dropFirst()))
    let trainer = try Trainer(
        symbol, dataShape: shape, batchSize: batchSize, optimizer: optimizer, engine: item.engine.make())
    let stored = try item.arrays("net-0000.params")
    for name in trainer.parameters.names {
        guard let value = stored["arg:\(name)"] ?? stored["aux:\(name)"] else {
            throw AnnealError(item.folder, "has no \(name)")
        }
        try trainer.parameters.set(name, value)
    }

    let source = WrappingSource(data, label, batchSize: batchSize, shape: shape)
    var observed = Observed()
    let metrics = CompositeMetric([Accuracy(), CrossEntropy()])
    let recorder = Recorder { observed.batches.append($0) }
    let reports = try trainer.fit(
        training: source, validation: source, epochs: 0..<epochs,
        options: FitOptions(metrics: metrics, observers: [recorder]))

    let loss = try item.tolerance("loss"), accuracy = try item.tolerance("accuracy"),
        weights = try item.tolerance("params")
    func values(_ reports: [[MetricValue]], _ name: String) -> [Double] {
        reports.map { $0.first { $0.name == name }?.value ?? .nan }
    }
    var problems: [String?] = [
        accuracy.mismatch(
            "train_accuracy", values(reports.map(\.training), "accuracy"), try fields.numbers("train_accuracy")),
        loss.mismatch("train_ce", values(reports.map(\.training), "cross-entropy"), try fields.numbers("train_ce")),
        accuracy.mismatch(
            "eval_accuracy", values(reports.map(\.validation), "accuracy"), try fields.numbers("eval_accuracy")),
        loss.mismatch("eval_ce", values(reports.map(\.validation), "cross-entropy"), try fields.numbers("eval_ce")),
        Tolerance(rtol: 1e-9, atolRelative: 0, atol: 0)
            .mismatch("lr", observed.batches.map(\.learningRate), try fields.numbers("lr")),
        loss.mismatch("batch_ce", observed.losses, try fields.numbers("batch_ce")),
    ]
    let end = try item.arrays("net-\(String(format: "%04d", epochs)).params")
    for name in trainer.parameters.names {
        guard let expected = end["arg:\(name)"] ?? end["aux:\(name)"] else { continue }
        problems.append(weights.mismatch(name, try trainer.parameters.tensor(name).elements, expected.elements))
    }
    let found = problems.compactMap { $0 }
    return found.isEmpty ? .passed : .failed(found.joined(separator: "\n"))
}

/// Records the updates of a run.
private struct Observed {
    var batches: [BatchReport] = []

    /// The loss of each batch, from the running averages of its epoch.
    var losses: [Double] {
        var before = 0.0
        return batches.map { report in
            let mean = report.metrics.first { $0.name == "cross-entropy" }?.value ?? .nan
            let sum = mean * Double(report.batch + 1)
            defer { before = sum }
            return report.batch == 0 ? sum : sum - before
        }
    }
}

private final class Recorder: FitObserver {
    private let record: (BatchReport) -> Void

    init(_ record: @escaping (BatchReport) -> Void) { self.record = record }

    func receive(_ event: FitEvent) {
        if case .batch(let report) = event { record(report) }
    }
}

/// Batches in order; the last is padded from the start, and its rows count, as in MXNet's NDArrayIter and Module.
private final class WrappingSource: BatchSource {
    let batchSize: Int
    let dataShape: Shape
    let labelWidth = 1
    let count: Int
    private let data: [Float]
    private let labels: [Float]
    private var batch = 0

    init(_ data: Tensor, _ labels: Tensor, batchSize: Int, shape: Shape) {
        self.data = data.elements
        self.labels = labels.elements
        self.batchSize = batchSize
        dataShape = shape
        count = labels.count
    }

    func start(epoch: Int, atBatch: Int) { batch = atBatch }

    func next(into slot: BatchSlot) -> Int {
        guard batch < batchesPerEpoch else { return 0 }
        let size = dataShape.count
        for row in 0..<batchSize {
            let sample = (batch * batchSize + row) % count
            for i in 0..<size { slot.data[row * size + i] = data[sample * size + i] }
            slot.labels[row] = labels[sample]
        }
        batch += 1
        return batchSize
    }
}
