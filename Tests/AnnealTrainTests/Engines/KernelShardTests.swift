import Anneal
import AnnealCompiler
import AnnealReference
import Testing

/// Batches that are split into shards, on engines made of kernels.
struct KernelShardTests {
    static func trainer(
        _ engine: any Engine, batchNorm: Bool = true, accumulation: Int = 1, canDropSteps: Bool = false,
        batchSize: Int = 8
    ) throws -> Trainer {
        let net = SymbolBuilder()
        var body = try net.convolution(.variable("data"), numFilter: 8, kernel: [3, 3], pad: [1, 1], name: "a")
        if batchNorm { body = try net.batchNorm(body, fixGamma: true, name: "n") }
        body = try net.pooling(net.activation(body, .relu), kind: .max, kernel: [2, 2], stride: [2, 2])
        body = try net.apply("Dropout", name: "drop", inputs: [net.flatten(body)], attributes: ["p": "0.25"])
        let symbol = try net.softmaxOutput(net.fullyConnected(body, numHidden: 4, name: "fc"), name: "softmax")
        let trainer = try Trainer(
            symbol, dataShape: [2, 6, 6], batchSize: batchSize,
            optimizer: Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9, "clip_norm": 1]), seed: 3,
            averaging: .movingAverage(decay: 0.9), accumulation: accumulation, canDropSteps: canDropSteps,
            engine: engine)
        try trainer.initialize(Xavier())
        return trainer
    }

    static func source(_ seed: UInt64, batchSize: Int = 8, count: Int = 40, broken: Int? = nil) throws -> InMemorySource
    {
        var data = noise(count * 72, seed)
        if let broken { data[broken * 72] = .nan }
        return try InMemorySource(
            data: Tensor([count, 2, 6, 6], data), labels: Tensor([count], (0..<count).map { Float($0 * 7 % 4) }),
            batchSize: batchSize)
    }

    /// The weights, statistics and metrics of two epochs.
    static func run(
        _ engine: any Engine, batchNorm: Bool = true, accumulation: Int = 1, broken: Int? = nil, batchSize: Int = 8
    ) throws -> [Float] {
        let trainer = try trainer(
            engine, batchNorm: batchNorm, accumulation: accumulation, canDropSteps: broken != nil,
            batchSize: batchSize)
        let events = Events()
        let reports = try trainer.fit(
            training: source(4, batchSize: batchSize, broken: broken), validation: source(5, batchSize: batchSize),
            epochs: 0..<2,
            options: FitOptions(onNonFinite: broken == nil ? .stop : .skip, observers: [events]))
        #expect(events.warnings.contains { $0.contains("dropped") } == (broken != nil))
        let metrics = reports.last.map { $0.training + $0.validation } ?? []
        return try trainer.parameters.names.flatMap { try trainer.parameters.tensor($0).elements }
            + metrics.map { Float($0.value) }
    }

    static func cpu(devices: Int, shards: Int) throws -> any Engine {
        try Device(named: "cpu:0-\(devices - 1)", threads: devices, shards: shards).engine
    }

    @Test(arguments: [(1, nil, 8), (2, nil, 8), (2, 9, 8), (1, nil, 10)] as [(Int, Int?, Int)])
    func bitsDependOnTheShardsAndNotOnTheDevices(accumulation: Int, broken: Int?, batchSize: Int) throws {
        let one = try Self.run(
            Self.cpu(devices: 1, shards: 4), accumulation: accumulation, broken: broken, batchSize: batchSize)
        #expect(one.allSatisfy { $0.isFinite })
        for devices in [2, 3, 4] {
            let several = try Self.run(
                Self.cpu(devices: devices, shards: 4), accumulation: accumulation, broken: broken,
                batchSize: batchSize)
            #expect(several == one)
        }
    }

    @Test func threeShardsOnOneTwoAndThreeDevices() throws {
        let one = try Self.run(Self.cpu(devices: 1, shards: 3))
        #expect(try Self.run(Self.cpu(devices: 2, shards: 3)) == one)
        #expect(try Self.run(Self.cpu(devices: 3, shards: 3)) == one)
    }

    /// Without batch norm, whose statistics are per shard, shards compute the same as the whole batch.
    @Test(arguments: [2, 3, 4, 8]) func shardsAddUpToTheBatch(shards: Int) throws {
        let whole = try Self.run(defaultEngine(), batchNorm: false)
        let parts = try Self.run(Self.cpu(devices: 2, shards: shards), batchNorm: false)
        for (a, b) in zip(parts, whole) { #expect(abs(a - b) <= 1e-4 * max(1, abs(b))) }
    }

    /// Four shards are equivalent to four accumulated batches, except for moving statistics and random numbers.
    @Test func shardsAreAccumulatedBatches() throws {
        func run(_ engine: any Engine, batchSize: Int, accumulation: Int) throws -> [Float] {
            let net = SymbolBuilder()
            let body = try net.batchNorm(
                net.convolution(.variable("data"), numFilter: 8, kernel: [3, 3], name: "a"), fixGamma: false, name: "n")
            let symbol = try net.softmaxOutput(
                net.fullyConnected(net.flatten(net.activation(body, .relu)), numHidden: 4, name: "fc"), name: "softmax")
            let trainer = try Trainer(
                symbol, dataShape: [2, 6, 6], batchSize: batchSize,
                optimizer: Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9]), accumulation: accumulation,
                engine: engine)
            try trainer.initialize(Xavier())
            try trainer.fit(training: Self.source(4, batchSize: batchSize), epochs: 0..<2)
            return try trainer.parameters.names.filter { !trainer.parameters.isAuxiliary($0) }
                .flatMap { try trainer.parameters.tensor($0).elements }
        }
        let shards = try run(Self.cpu(devices: 2, shards: 4), batchSize: 8, accumulation: 1)
        #expect(try run(defaultEngine(), batchSize: 2, accumulation: 4) == shards)
    }

    /// With 2-bit compression each element of a shard's gradient is the threshold, its negative or zero: an update of
    /// plain SGD changes every weight by an integer multiple of it. Later steps send what was kept, and devices do not
    /// matter.
    @Test func twoBitCompressionIsOfEachShard() throws {
        let threshold: Float = 0.0625
        func change(devices: Int, steps: Int) throws -> [Float] {
            let engine = try ShardedEngine(
                (0..<devices).map { _ in try #require(defaultEngine() as? any KernelEngine) }, pool: 1, shards: 4,
                compression: .twoBit(threshold: threshold))
            let net = SymbolBuilder()
            let symbol = try net.softmaxOutput(
                net.fullyConnected(net.flatten(.variable("data")), numHidden: 4, name: "fc"), name: "softmax")
            let trainer = try Trainer(
                symbol, dataShape: [2, 6, 6], batchSize: 8, optimizer: Optimizers.make("sgd", ["learning_rate": 0.5]),
                engine: engine)
            try trainer.initialize(Xavier())
            let before = try trainer.parameters.tensor("fc_weight").elements
            let slot = try trainer.slot(), data = noise(8 * 72, 4)
            for _ in 0..<steps {
                _ = slot.data.update(from: data)
                for row in 0..<8 { slot.labels[row] = Float(row % 4) }
                try trainer.step()
            }
            // In units of the threshold: the rate is 1/2, and gradients are divided by 8.
            return zip(before, try trainer.parameters.tensor("fc_weight").elements).map { ($0 - $1) * 16 / threshold }
        }
        let one = try change(devices: 1, steps: 1)
        #expect(one.contains { abs($0) > 0.5 } && one.contains { abs($0) < 0.5 })
        #expect(one.allSatisfy { abs($0 - $0.rounded()) < 1e-3 && abs($0) < 4.5 })
        let several = try change(devices: 1, steps: 5)
        #expect(several.contains { abs($0) > 4.5 })
        for devices in [2, 3] { #expect(try change(devices: devices, steps: 5) == several) }
    }

    @Test func theReferenceEngineHasTheSameNumbers() throws {
        let reference = try ShardedEngine(
            [ReferenceEngine(), ReferenceEngine()], pool: 1, shards: 4)
        let expected = try Self.run(reference), got = try Self.run(Self.cpu(devices: 2, shards: 4))
        for (a, b) in zip(got, expected) { #expect(abs(a - b) <= 1e-3 * max(1, abs(b))) }
    }

    @Test func whatDoesNotDivideIsRefused() throws {
        let tooMany = #expect(throws: AnnealError.self) { try Self.cpu(devices: 3, shards: 2) }
        #expect(tooMany?.suggestion == "give --shards 3 or more, or fewer devices")
        let empty = #expect(throws: AnnealError.self) {
            try Self.trainer(Self.cpu(devices: 2, shards: 4), batchSize: 3)
        }
        #expect(empty?.suggestion == "use 4 or more")
    }

    /// MXNet's statistics with several devices: their mean.
    @Test func movingStatisticsAreTheShardsMean() throws {
        let sharded = try Self.trainer(Self.cpu(devices: 2, shards: 2)), data = noise(40 * 72, 4)
        try sharded.fit(training: Self.source(4, count: 8), epochs: 0..<1)
        var means: [[Float]] = []
        for half in 0..<2 {
            let trainer = try Self.trainer(defaultEngine(), batchSize: 4)
            let rows = Tensor([4, 2, 6, 6], Array(data[(half * 4 * 72)..<((half + 1) * 4 * 72)]))
            let source = try InMemorySource(data: rows, labels: Tensor([4], [0, 1, 2, 3]), batchSize: 4)
            try trainer.fit(training: source, epochs: 0..<1)
            means.append(try trainer.parameters.tensor("n_moving_mean").elements)
        }
        let got = try sharded.parameters.tensor("n_moving_mean").elements
        for (value, pair) in zip(got, zip(means[0], means[1])) { #expect(abs(value - (pair.0 + pair.1) / 2) < 1e-6) }
    }
}
