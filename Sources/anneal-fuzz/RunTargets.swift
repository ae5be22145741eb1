import Anneal
import AnnealConfiguration
import CZlib
import Foundation

/// The files that a run writes and starts from.
let runTargets = [
    FuzzTarget(name: "run-state", suggestion: mendChecksum) { work in
        let trainer = try Trainer(
            Networks.smallest(), dataShape: [1, 2, 2], batchSize: 2, optimizer: try Optimizers.make("adam"), seed: 1)
        try trainer.initialize(Xavier())
        try trainer.step()
        let prefix = work.path("net")
        try trainer.save(prefix: prefix, epoch: 1)
        let path = Checkpoint.resumePath(prefix, 1)
        return FuzzReader(seeds: [Array(try Files.read(path))]) { bytes in
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            _ = try Trainer.savedSeed(path)
            _ = try trainer.restoreState(path)
            try trainer.step()
        }
    },
    FuzzTarget(name: "preprocessing", isText: true) { work in
        let seed = Preprocessing(
            imageShape: [3, 8, 8], mean: [125.3, 123, 113.9], std: [63, 62.1, 66.7], resize: 9,
            classNames: ["cat", "dog", "ship"])
        let image = try Image(width: 9, height: 7, channels: 3, filledWith: 90).encoded(as: .png(level: 6))
        return FuzzReader(seeds: [Array(try seed.encoded())]) { bytes in
            _ = try work.write(bytes, "net-preprocessing.json")
            guard let found = try Preprocessing.load(prefix: work.path("net")) else { return }
            try allowingErrors { try prepare(image, found) }
        }
    },
    FuzzTarget(name: "arguments", isText: true) { work in
        let record = RunRecord(
            command: "train", commandLine: ["anneal", "train", "--lr", "0.1"],
            arguments: [
                "lr": 0.1, "batch-size": 128, "mirror": true, "steps": [30, 60], "seed": nil, "net": "resnet",
            ],
            version: "0.1", threads: 2, date: Date(timeIntervalSince1970: 1_500_000_000), workingFolder: "/tmp",
            machine: Machine(host: "a", system: "b", processor: "c", cores: 2, memoryBytes: 1 << 33))
        return FuzzReader(seeds: [Array(try record.json())]) { bytes in
            _ = try RunRecord.read(try work.write(bytes, "arguments.json")).json()
        }
    },
    FuzzTarget(name: "metrics-csv", isText: true) { work in
        let text = """
            epoch,train_accuracy,validation_accuracy,learning_rate,seconds,validation_seconds,samples_per_second
            0,0.25,0.5,0.1,12.5,1.5,1000.0
            1,0.5,nan,0.1,12.25,1.25,1024.5

            """
        return FuzzReader(seeds: [Array(text.utf8)]) { bytes in
            let table = MetricsCSV(path: try work.write(bytes, "metrics.csv"))
            try table.receive(.started(start))
        }
    },
    FuzzTarget(name: "metrics-jsonl", isText: true) { work in
        let metrics = [MetricValue(name: "accuracy", value: 0.5), MetricValue(name: "cross-entropy", value: 1.25)]
        let lines = (0..<3).map { epoch in
            MetricsJSONL.line(
                EpochReport(
                    epoch: epoch, training: metrics, validation: metrics, learningRate: 0.1, seconds: 12.5,
                    validationSeconds: 1.5, samplesPerSecond: 1000))
        }
        return FuzzReader(seeds: [Array((lines.joined(separator: "\n") + "\n").utf8)]) { bytes in
            let epochs = try RunHistory.epochs(of: try work.write(bytes, "metrics.jsonl"))
            _ = try CurvesWriter.chart(title: "run", epochs: epochs).svg()
            let runs = [RunComparison.Run(label: "run", epochs: epochs)]
            _ = try RunComparison.chart(runs, title: "runs").svg()
        }
    },
    FuzzTarget(name: "configuration", isText: true, words: ["null", "true", "&a", "*a", "<<", "!!int", "|", ">"]) {
        work in
        let text = """
            # a run
            command: train
            network: resnet
            lr: 0.1
            lr_step_epochs: [30, 60]
            random-mirror: true
            top-k:
              - 1
              - 5
            mean: &a "125.3,123.0,113.9"
            std: *a

            """
        return FuzzReader(seeds: [Array(text.utf8)]) { bytes in
            _ = try ConfigurationFile(try work.write(bytes, "config.yaml"))
        }
    },
]

/// The CRC-32 of everything before it, little-endian, as in `StateFile`.
@Sendable private func mendChecksum(_ bytes: inout [UInt8]) {
    guard bytes.count >= 4 else { return }
    let end = bytes.count - 4
    let sum = bytes[..<end].withUnsafeBufferPointer { crc32(0, $0.baseAddress, UInt32($0.count)) }
    for index in 0..<4 { bytes[end + index] = UInt8(truncatingIfNeeded: sum >> UInt(8 * index)) }
}

private let start = RunStart(
    position: FitPosition(epoch: 5), endEpoch: 10, batchSize: 2, trainingCount: 10, validationCount: nil,
    stepsPerEpoch: 5)

/// One image as scoring prepares it, if the record asks for a small one: buffers are as large as it asks.
private func prepare(_ image: [UInt8], _ preprocessing: Preprocessing) throws {
    let count = preprocessing.imageShape.reduce(1.0) { $0 * Double($1) }
    guard count <= 0x1p16, preprocessing.resize ?? 0 <= 256 else { return }
    var options = LoaderOptions(validating: preprocessing, batchSize: 1)
    options.threads = 1
    let loader = try BatchLoader(ImageBytes(image), options: options)
    try loader.start(epoch: 0, atBatch: 0)
    var data = [Float](repeating: 0, count: Int(count)), label: [Float] = [0]
    try data.withUnsafeMutableBufferPointer { data in
        _ = try label.withUnsafeMutableBufferPointer { try loader.next(into: BatchSlot(data: data, labels: $0)) }
    }
}
