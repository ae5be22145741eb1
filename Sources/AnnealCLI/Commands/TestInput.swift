import Anneal

extension TrainingRun {
    /// --test-io 1: reads an epoch of training's batches and discards them, with MXNet's log lines.
    func testInput(_ options: TrainingOptions, _ data: DataOptions) throws {
        guard try !data.isBenchmark() else {
            throw UsageError("--test-io 1", "reads data, and --benchmark 1 has none", suggestion: "give one of them")
        }
        let preprocessing = try data.preprocessing(
            of: images, imageShape: imageShape, recorded: recorded, over: trained)
        let loader = try data.trainingLoader(
            images, preprocessing, batchSize: options.batchSize, classes: classes, seed: options.seed ?? 0)
        var pixels = [Float](repeating: 0, count: loader.batchSize * loader.dataShape.count)
        var labels = [Float](repeating: 0, count: loader.batchSize * loader.labelWidth)
        // As before a first step.
        _ = try loader.source.survey(
            classes: classes, like: nil, skipsBad: loader.options.onBadRecord == .skip)
        let before = Self.bytesRead.map { "; \(Readable.count($0)) bytes were read before the first" } ?? ""
        let begin = Clocks.monotonic()
        var last = begin, batches = 0, samples = 0
        try loader.start(epoch: 0, atBatch: 0)
        while true {
            let rows = try pixels.withUnsafeMutableBufferPointer { data in
                try labels.withUnsafeMutableBufferPointer { try loader.next(into: BatchSlot(data: data, labels: $0)) }
            }
            guard rows > 0 else { break }
            samples += rows
            batches += 1
            guard batches % options.run.dispBatches == 0 else { continue }
            let now = Clocks.monotonic()
            let speed = Double(options.run.dispBatches * loader.batchSize) / max(now - last, 1e-9)
            printError("INFO:root:Batch [\(batches - 1)]\tSpeed: \(LogGrammar.fixed(speed, 2)) samples/sec")
            last = now
        }
        let seconds = max(Clocks.monotonic() - begin, 1e-9)
        print(
            "\(Readable.count(samples)) images in \(LogGrammar.fixed(seconds, 2)) s: \(Readable.rate(Double(samples) / seconds)) images/s with \(loader.options.threads.counted("decoding thread"))\(before)"
        )
    }

    /// Bytes read by this process, from files of all kinds; nil if the system does not report it.
    private static var bytesRead: Int? {
        let lines = (try? Files.readText("/proc/self/io"))?.split(separator: "\n")
        return lines?.first { $0.hasPrefix("rchar: ") }.flatMap { Int($0.dropFirst("rchar: ".count)) }
    }
}
