import Anneal
import Foundation
import Testing

@Suite struct FreezeTests {
    private static let shape: Shape = [3, 28, 28]

    private func network() throws -> Symbol {
        try Networks.symbol("resnet", NetworkOptions(numClasses: 4, imageShape: [3, 28, 28], numLayers: 8))
    }

    private func trainer(_ frozen: Set<String> = [], multipliers: Multipliers = Multipliers()) throws -> Trainer {
        let optimizer = try Optimizers.make(
            "sgd", ["learning_rate": 0.1, "momentum": 0.9, "wd": 0.01], multipliers: multipliers)
        return try Trainer(network(), dataShape: Self.shape, batchSize: 4, optimizer: optimizer, frozen: frozen)
    }

    private func train(_ trainer: Trainer, steps: Int, seed: UInt64) throws {
        let slot = try trainer.slot()
        for step in 0..<steps {
            var random = Random(seed: seed, purpose: .test, index: step)
            for i in slot.data.indices { slot.data[i] = random.uniform(-2, 2) }
            for i in slot.labels.indices { slot.labels[i] = Float(random.below(4)) }
            try trainer.step()
        }
    }

    private func values(_ trainer: Trainer) throws -> [String: Tensor] {
        try Dictionary(uniqueKeysWithValues: trainer.parameters.names.map { ($0, try trainer.parameters.tensor($0)) })
    }

    private func chosen(_ pattern: String) throws -> Set<String> {
        let symbol = try network()
        let names = Set(try symbol.argumentNames() + symbol.auxiliaryNames()).subtracting(["data", "softmax_label"])
        return try symbol.parameters(matching: pattern, among: names, flag: "--freeze")
    }

    /// A network that has been trained on a few batches, so that its statistics are not the initial ones.
    private func pretrained() throws -> [String: Tensor] {
        let trainer = try trainer()
        try trainer.initialize(Xavier())
        try train(trainer, steps: 3, seed: 1)
        return try values(trainer)
    }

    @Test(arguments: ["(?!fc)", "bn_data|conv0|stage1", "stage2_unit1_bn1", ".*moving"])
    func frozenValuesKeepTheirBits(_ pattern: String) throws {
        let before = try pretrained(), frozen = try chosen(pattern)
        let trainer = try trainer(frozen)
        for (name, value) in before { try trainer.parameters.set(name, value) }
        try train(trainer, steps: 3, seed: 2)
        let after = try values(trainer)
        for name in trainer.parameters.names {
            // A gamma that fix_gamma fixes decays when it is trained, and every forward pass sets it to 1, as in MXNet.
            if name == "bn_data_gamma" { continue }
            #expect((after[name] == before[name]) == trainer.frozen.contains(name), "\(name)")
        }
    }

    /// A convolution with frozen weights still trains its bias, as if they were not frozen.
    @Test func biasOfFrozenWeights() throws {
        let net = SymbolBuilder()
        var body = try net.convolution(.variable("data"), numFilter: 5, kernel: [3, 3], name: "first")
        body = try net.convolution(net.activation(body, .relu), numFilter: 9, kernel: [3, 3], name: "second")
        let symbol = try net.softmaxOutput(net.fullyConnected(net.flatten(body), numHidden: 4), name: "softmax")
        func bias(_ frozen: Set<String>) throws -> [Tensor?] {
            let trainer = try Trainer(
                symbol, dataShape: [3, 9, 9], batchSize: 4, optimizer: try Optimizers.make("sgd"), frozen: frozen,
                keepsGradients: true)
            try trainer.initialize(Xavier())
            try train(trainer, steps: 1, seed: 3)
            return try ["first_bias", "second_bias"].map { try trainer.gradient($0) }
        }
        for (one, other) in zip(try bias([]), try bias(["first_weight", "second_weight"])) {
            let (whole, alone) = (try #require(one).elements, try #require(other).elements)
            #expect(zip(whole, alone).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($0)) })
            #expect(whole.contains { abs($0) > 1e-3 })
        }
    }

    @Test func frozenBatchNormsNormaliseByTheirStatistics() throws {
        let before = try pretrained(), trainer = try trainer(chosen("(?!fc)"))
        let scoring = try Executor(network(), inputs: ["data": [4, 3, 28, 28]], mode: .inference)
        for (name, value) in before {
            try trainer.parameters.set(name, value)
            try scoring.parameters.set(name, value)
        }
        let slot = try trainer.slot()
        for i in slot.data.indices { slot.data[i] = Float(i % 17) / 8 - 1 }
        _ = scoring.input("data")?.update(from: slot.data)
        try trainer.training.forward()
        try scoring.forward()
        let trained = try trainer.training.output(), scored = try scoring.output()
        for (a, b) in zip(trained.elements, scored.elements) { #expect(abs(a - b) < 1e-6) }
        // The saved network is the user's.
        #expect(try trainer.symbol.json() == network().json())
    }

    /// The backward pass ends at the lowest trained layer.
    @Test func nothingIsComputedBelowWhatIsTrained() throws {
        func backwardLayers(_ pattern: String?) throws -> [String] {
            let program = try trainer(pattern.map(chosen) ?? []).training.program
            return program.instructions[program.backwardStart...].filter { $0.action.op != nil }.map(\.layer)
        }
        #expect(try backwardLayers(nil).contains("conv0"))
        #expect(Set(try backwardLayers("(?!fc)")) == ["softmax", "fc1"])
        let upper = try backwardLayers("bn_data|conv0|stage1|stage2")
        #expect(upper.contains { $0.hasPrefix("stage3_unit1") })
        #expect(
            !upper.contains { $0.hasPrefix("stage2") || $0.hasPrefix("stage1") || $0 == "conv0" || $0 == "bn_data" })
        // Frozen layers between trained ones pass the gradient on and compute none for themselves.
        let program = try trainer(chosen("stage2")).training.program
        #expect(program.gradients.keys.contains("conv0_weight"))
        #expect(!program.gradients.keys.contains { $0.hasPrefix("stage2") })
    }

    @Test func multipliersScaleTheRate() throws {
        let before = try pretrained()
        func moved(_ rate: Double?) throws -> Float {
            let trainer = try trainer(multipliers: Multipliers(learningRate: rate.map { ["fc1_bias": $0] } ?? [:]))
            for (name, value) in before { try trainer.parameters.set(name, value) }
            try train(trainer, steps: 1, seed: 2)
            let after = try trainer.parameters.tensor("fc1_bias").elements
            return zip(after, before["fc1_bias"]?.elements ?? []).map { abs($0 - $1) }.max() ?? 0
        }
        let once = try moved(nil), thrice = try moved(3)
        #expect(once > 0)
        #expect(abs(thrice / once - 3) < 1e-4)
        #expect(try moved(0) == 0)
    }

    /// Settings of the symbol's operators apply by default, and the caller's override them.
    @Test func multipliersOfTheSymbolCount() throws {
        func moved(_ multiplier: String?, _ given: Multipliers = Multipliers()) throws -> [Float] {
            let net = SymbolBuilder()
            let layer = try net.apply(
                "FullyConnected", name: "fc", inputs: [.variable("data")],
                attributes: ["num_hidden": "4", "lr_mult": multiplier])
            let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.5], multipliers: given)
            let trainer = try Trainer(
                net.softmaxOutput(layer, name: "softmax"), dataShape: [3], batchSize: 4, optimizer: optimizer)
            try trainer.initialize(Xavier())
            let before = try trainer.parameters.tensor("fc_weight").elements
            try train(trainer, steps: 1, seed: 1)
            return zip(try trainer.parameters.tensor("fc_weight").elements, before).map { $0 - $1 }
        }
        let whole = try moved(nil), quarter = try moved("0.25")
        #expect(whole.contains { abs($0) > 1e-3 })
        for (a, b) in zip(whole, quarter) { #expect(abs(a - 4 * b) < 1e-6) }
        #expect(try moved("0.25", Multipliers(learningRate: ["fc_weight": 1])) == whole)
    }

    @Test func wrongChoicesAreErrors() throws {
        func message(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return ""
        }
        #expect(message { _ = try chosen("stage9_unit1_bn1_gamma") }.contains("stage1_unit1_bn1_gamma"))
        #expect(message { _ = try chosen("(") }.contains("not a regular expression"))
        #expect(message { _ = try trainer(chosen(".*")) }.contains("no parameter left"))
        #expect(message { _ = try trainer(["conv0_weigth"]) }.contains("conv0_weight"))
    }

    @Test func resumingWantsTheSameChoice() throws {
        let folder = NSTemporaryDirectory() + "anneal-freeze-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try trainer(chosen("stage1"))
        try first.initialize(Xavier())
        try train(first, steps: 2, seed: 3)
        try first.save(prefix: folder + "/m", epoch: 1)
        try train(first, steps: 2, seed: 4)

        let second = try trainer(chosen("stage1"))
        #expect(try second.restore(prefix: folder + "/m", epoch: 1) != nil)
        try train(second, steps: 2, seed: 4)
        #expect(try values(first) == values(second))

        #expect(throws: AnnealError.self) { try trainer().restore(prefix: folder + "/m", epoch: 1) }
        #expect(throws: AnnealError.self) {
            let multipliers = Multipliers(learningRate: ["fc1_bias": 2])
            _ = try trainer(chosen("stage1"), multipliers: multipliers).restore(prefix: folder + "/m", epoch: 1)
        }
    }
}
