import Anneal
import AnnealReference
import AnnealXLA
import Testing

/// Whether XLA's CPU plugin is available.
let hasVirtualDevices = (try? Accelerators.engine("xla-cpu", indexes: [0])) != nil

/// Several accelerators, as virtual devices of XLA's CPU plugin (`make plugin NAME=cpu`).
@Suite(.enabled(if: hasVirtualDevices, "no plugin for xla-cpu ('make plugin NAME=cpu' installs it)"))
struct ShardTests {
    /// As on the processor.
    private static func run(
        _ engine: any Engine, batchNorm: Bool, accumulation: Int = 1, broken: Int? = nil
    ) throws -> [Float] {
        try KernelShardTests.run(engine, batchNorm: batchNorm, accumulation: accumulation, broken: broken)
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

    /// An all-reduce adds in a different order, but always the same one.
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

    /// Without batch norm, whose statistics are per shard, four shards compute the same as the whole batch.
    @Test func shardsAddUpToTheBatch() throws {
        let whole = try Self.run(ReferenceEngine(), batchNorm: false)
        let parts = try Self.run(Self.engine(devices: 2, shards: 4), batchNorm: false)
        for (a, b) in zip(parts, whole) { #expect(abs(a - b) <= 1e-4 * max(1, abs(b))) }
    }

    @Test func aBatchThatDoesNotDivideIsRefused() throws {
        let error = #expect(throws: AnnealError.self) {
            try KernelShardTests.trainer(Self.engine(devices: 2, shards: 4), batchNorm: false, batchSize: 6)
        }
        #expect(error?.suggestion == "use 4 or 8")
    }
}
