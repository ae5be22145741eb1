import Anneal
import AnnealReference
import AnnealXLA
import Testing

/// Whether XLA's CPU plugin is here.
let hasVirtualDevices = (try? Accelerators.engine("xla-cpu", indexes: [0])) != nil

/// Several accelerators, as virtual devices of XLA's CPU plugin (`make plugin NAME=cpu`).
@Suite(.enabled(if: hasVirtualDevices, "no plugin for xla-cpu ('make plugin NAME=cpu' installs it)"))
struct ShardTests {
    private static func makeTrainer(
        _ engine: any Engine, batchNorm: Bool, accumulation: Int = 1, canDropSteps: Bool = false, batchSize: Int = 8
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

    /// The weights, statistics and metrics of two epochs.
    private static func run(
        _ engine: any Engine, batchNorm: Bool, accumulation: Int = 1, broken: Int? = nil
    ) throws -> [Float] {
        let trainer = try makeTrainer(
            engine, batchNorm: batchNorm, accumulation: accumulation, canDropSteps: broken != nil)
        var data = noise(40 * 72, 4)
        if let broken { data[broken * 72] = .nan }
        func source(_ data: [Float]) throws -> InMemorySource {
            try InMemorySource(
                data: Tensor([40, 2, 6, 6], data), labels: Tensor([40], (0..<40).map { Float($0 * 7 % 4) }),
                batchSize: 8)
        }
        let folder = try StateFolder(), events = Events()
        let reports = try trainer.fit(
            training: source(data), validation: source(noise(40 * 72, 5)), epochs: 0..<2,
            options: FitOptions(
                modelPrefix: folder.prefix, onNonFinite: broken == nil ? .stop : .skip, observers: [events]))
        #expect(events.warnings.contains { $0.contains("dropped") } == (broken != nil))
        let metrics = reports.last.map { $0.training + $0.validation } ?? []
        return try trainer.parameters.names.flatMap { try trainer.parameters.tensor($0).elements }
            + metrics.map { Float($0.value) }
    }

    private static func engine(devices: Int, shards: Int) throws -> any Engine {
        try Accelerators.engine("xla-cpu", indexes: Array(0..<devices), shards: shards)
    }

    @Test(arguments: [(1, nil), (2, nil), (2, 9)] as [(Int, Int?)])
    func bitsDependOnTheShardsAndNotOnTheDevices(accumulation: Int, broken: Int?) throws {
        let one = try Self.run(
            Self.engine(devices: 1, shards: 4), batchNorm: true, accumulation: accumulation, broken: broken)
        #expect(one.allSatisfy { $0.isFinite })
        for devices in [2, 4] {
            let several = try Self.run(
                Self.engine(devices: devices, shards: 4), batchNorm: true, accumulation: accumulation, broken: broken)
            #expect(several == one)
        }
    }

    /// An all-reduce adds in another order, the same one each time.
    @Test(arguments: [(2, nil), (4, nil), (2, 13)]) func devicesAddTogether(_ devices: Int, _ broken: Int?) throws {
        func reduced() throws -> [Float] {
            try Self.run(
                Accelerators.engine(
                    "xla-cpu", indexes: Array(0..<devices), shards: 4,
                    options: AcceleratorOptions(exchange: .allReduce)), batchNorm: true, accumulation: 2,
                broken: broken)
        }
        let tree = try Self.run(
            Self.engine(devices: devices, shards: 4), batchNorm: true, accumulation: 2, broken: broken)
        let found = try reduced()
        #expect(found.count == tree.count)
        for (a, b) in zip(found, tree) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
        #expect(try reduced() == found)
    }

    /// Without batch norm, whose statistics are a shard's own, four shards compute what the whole batch does.
    @Test func shardsAddUpToTheBatch() throws {
        let whole = try Self.run(ReferenceEngine(), batchNorm: false)
        let parts = try Self.run(Self.engine(devices: 2, shards: 4), batchNorm: false)
        for (a, b) in zip(parts, whole) { #expect(abs(a - b) <= 1e-4 * max(1, abs(b))) }
    }

    @Test func aBatchThatDoesNotDivideIsRefused() throws {
        let error = #expect(throws: AnnealError.self) {
            try Self.makeTrainer(Self.engine(devices: 2, shards: 4), batchNorm: false, batchSize: 6)
        }
        #expect(error?.suggestion == "use 4 or 8")
    }
}
