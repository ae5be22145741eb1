import Anneal
import Testing

/// The costs of a plan's operations, compared with numbers computed by hand.
@Suite struct OperationCostTests {
    /// A convolution with its batch norm, a second one added to it, and a classifier.
    private static func executor(_ mode: Executor.Mode, gradients: Set<String>? = nil) throws -> Executor {
        let builder = SymbolBuilder()
        let data = Symbol.variable("data")
        let first = try builder.batchNorm(
            builder.convolution(data, numFilter: 8, kernel: [3, 3], pad: [1, 1], name: "c"), name: "n")
        let skip = try builder.convolution(data, numFilter: 8, kernel: [1, 1], name: "s")
        let joined = try builder.activation(builder.add(first, skip), .relu)
        let head = try builder.fullyConnected(builder.flatten(joined), numHidden: 10, name: "f")
        return try Executor(
            builder.softmaxOutput(head, name: "softmax"), inputs: ["data": [2, 16, 6, 6]], mode: mode,
            gradients: gradients)
    }

    private static func only(_ kind: String, _ layer: String, in executor: Executor) throws -> OperationCost {
        let found = executor.operations.filter { $0.kind == kind && $0.layer == layer }
        #expect(found.count == 1, "\(kind) of \(layer)")
        return try #require(found.first)
    }

    @Test func forwardAndBackwardOfAConvolution() throws {
        let executor = try Self.executor(.training)
        // 2 images x 8 channels x 36 positions, each of 16 x 9 multiply-adds.
        let flops = 2.0 * 2 * 8 * 36 * 16 * 9
        let data = 2 * 16 * 36, weight = 8 * 16 * 9, bias = 8, output = 2 * 8 * 36
        let forward = try Self.only("Convolution forward", "c", in: executor)
        #expect(forward.flops == flops && forward.phase == .forward)
        #expect(forward.bytes == Double(4 * (data + weight + bias + output)))
        #expect(forward.shapes == "(2, 16, 6, 6) (8, 16, 3, 3) -> (2, 8, 6, 6)")
        let weights = try Self.only("Convolution backward weights", "c", in: executor)
        #expect(weights.flops == flops && weights.phase == .backward)
        #expect(weights.bytes == forward.bytes)
        // The data's gradient is not needed.
        #expect(!executor.operations.contains { $0.kind == "Convolution backward data" })
    }

    @Test func dataGradientsAreWorthAForwardPass() throws {
        let executor = try Self.executor(.training)
        let flops = 2.0 * 2 * 10 * (8 * 36)
        for kind in ["forward", "backward data", "backward weights"] {
            #expect(try Self.only("FullyConnected \(kind)", "f", in: executor).flops == flops)
        }
    }

    /// Batch norm with the addition and the ReLU in it: 2 + 1 + 1 operations per element, twice that backwards.
    @Test func fusedOperationsCountTheirParts() throws {
        let executor = try Self.executor(.training)
        let elements = 2.0 * 8 * 36
        let forward = executor.operations.filter { $0.layer == "n" && $0.phase == .forward }
        let backward = executor.operations.filter { $0.kind == "fused BatchNorm backward" }
        #expect(forward.map(\.flops) == [4 * elements])
        #expect(backward.map(\.flops) == [8 * elements])
        #expect(!executor.operations.contains { $0.kind.hasPrefix("Activation") })
    }

    /// In inference the norm is in the weights, and the addition and the ReLU are in a convolution.
    @Test func inferenceCountsWhatConvolutionsTakeOver() throws {
        let operations = try Self.executor(.inference).operations.filter { $0.kind.contains("Convolution") }
        let elements = 2.0 * 8 * 36
        #expect(operations.count == 2)
        #expect(operations.reduce(0) { $0 + $1.flops } == 2 * elements * 16 * 9 + 2 * elements * 16 + 2 * elements)
    }

    @Test func frozenWeightsCostNothing() throws {
        let executor = try Self.executor(.training, gradients: ["f_weight", "f_bias"])
        let backward = executor.operations.filter { $0.phase == .backward }.map(\.kind)
        #expect(backward.contains("FullyConnected backward weights"))
        #expect(!backward.contains { $0.hasPrefix("Convolution") || $0 == "FullyConnected backward data" })
    }

    /// The number passed to the callback is the operation's index in `operations`, and every operation runs once.
    @Test func observesEachKernelOnce() throws {
        for mode in [Executor.Mode.training, .inference] {
            let executor = try Self.executor(mode)
            try fill(executor, seed: 1)
            try executor.forward()
            let expected = try executor.output()
            var seen: [Int] = []
            executor.around = { index, run in
                seen.append(index)
                run()
            }
            try executor.forward()
            if mode == .training { try executor.backward() }
            #expect(seen == Array(executor.operations.indices))
            #expect(try executor.output().elements == expected.elements)
        }
    }
}

@Suite struct RooflineTests {
    /// 100 GFLOP/s and 10 GB/s meet at 10 operations per byte.
    static let roofline = Roofline(flops: 100e9, bandwidth: 10e9)

    @Test func theSlowerOfBothCounts() {
        #expect(Self.roofline.seconds(flops: 100e9, bytes: 10e9) == 1)
        #expect(Self.roofline.seconds(flops: 400e9, bytes: 10e9) == 4)
        #expect(Self.roofline.seconds(flops: 1e9, bytes: 20e9) == 2)
        #expect(Self.roofline.seconds(flops: 0, bytes: 5e9) == 0.5)
        #expect(Self.roofline.seconds(flops: 0, bytes: 0) == 0)
    }

    /// flops / seconds is min(peak, bandwidth x intensity).
    @Test(arguments: [0.5, 5, 10, 50]) func rateFollowsIntensity(_ intensity: Double) {
        let bytes = 3e9, flops = intensity * bytes
        let rate = flops / Self.roofline.seconds(flops: flops, bytes: bytes)
        #expect(abs(rate / min(100e9, 10e9 * intensity) - 1) < 1e-12)
    }
}
