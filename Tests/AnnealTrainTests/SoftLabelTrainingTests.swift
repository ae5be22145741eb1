import Anneal
import Foundation
import Testing

@Suite struct SoftLabelTrainingTests {
    private let shape: Shape = [1, 2, 3]

    private func network(_ normalization: String? = nil) throws -> Symbol {
        let build = SymbolBuilder()
        let hidden = try build.fullyConnected(.variable("data"), numHidden: 5, name: "fc1")
        let scores = try build.fullyConnected(build.activation(hidden, .tanh), numHidden: 3, name: "fc2")
        guard let normalization else { return try build.softmaxOutput(scores, name: "softmax") }
        return try build.apply(
            SoftmaxOutput.name, name: "softmax", hint: "softmaxoutput", inputs: [scores],
            attributes: ["normalization": normalization])
    }

    private func trainer(_ batch: Int, soft: Bool, symbol: Symbol? = nil) throws -> Trainer {
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.1, "momentum": 0.9])
        let trainer = try Trainer(
            symbol ?? network(), dataShape: shape, batchSize: batch, optimizer: optimizer, softLabels: soft,
            keepsGradients: true)
        try trainer.initialize(Xavier())
        return trainer
    }

    private func fill(_ trainer: Trainer, _ data: [Float], _ labels: [Float]) throws {
        let slot = try trainer.slot()
        #expect(slot.data.count == data.count && slot.labels.count == labels.count)
        _ = slot.data.update(from: data)
        _ = slot.labels.update(from: labels)
    }

    private func images(_ count: Int) -> [Float] { noise(count * 6, 4) }

    private func gradients(_ trainer: Trainer) throws -> [[Float]] {
        try ["fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"].map {
            try #require(try trainer.gradient($0)).elements
        }
    }

    private func close(_ a: [[Float]], _ b: [[Float]], scale: Float = 1, within limit: Float = 1e-5) -> Bool {
        zip(a, b).allSatisfy { zip($0, $1).allSatisfy { abs($0 - $1 * scale) <= limit } }
    }

    /// The gradient of -sum(label log p), for labels that do not sum to 1.
    @Test func gradientIsThatOfTheLoss() throws {
        let labels: [Float] = [0.7, 0.2, 0.1, 1.4, 0.4, 0.2, 0, 0.5, 0, 0, 0, 0]
        let trainer = try trainer(4, soft: true)
        func loss() throws -> Double {
            try trainer.training.forward()
            return zip(labels, try trainer.training.output().elements).reduce(0) {
                $0 - Double($1.0) * log(Double($1.1))
            }
        }
        try fill(trainer, images(4), labels)
        try trainer.training.forward()
        try trainer.training.backward()
        for name in ["fc1_weight", "fc2_weight", "fc2_bias"] {
            let gradient = try #require(try trainer.gradient(name)).elements
            let value = try trainer.parameters.tensor(name)
            for i in stride(from: 0, to: value.count, by: 2) {
                func moved(_ step: Float) throws -> Double {
                    var changed = value
                    changed.elements[i] += step
                    try trainer.parameters.set(name, changed)
                    defer { try? trainer.parameters.set(name, value) }
                    return try loss()
                }
                let slope = try (moved(0.01) - moved(-0.01)) / 0.02
                #expect(abs(slope - Double(gradient[i])) < 1e-3, "\(name)[\(i)]")
            }
        }
    }

    @Test func oneHotRowsTrainToTheSameBits() throws {
        let hard = try trainer(3, soft: false), soft = try trainer(3, soft: true)
        for step in 0..<5 {
            let data = noise(18, UInt64(step)), label = step % 3
            try fill(hard, data, [Float(label), 1, 2])
            try fill(soft, data, (0..<3).map { $0 == label ? 1 : 0 } + [0, 1, 0, 0, 0, 1])
            try hard.step()
            try soft.step()
        }
        for name in hard.parameters.names { #expect(try hard.parameters.tensor(name) == soft.parameters.tensor(name)) }
        #expect(try soft.symbol.json() == network().json(), "what is saved is the user's network")
    }

    /// A class of weight 2 counts as if its images occurred twice.
    @Test func weightsActAsRepeatedImages() throws {
        let two = images(2), weighted = try trainer(2, soft: true), repeated = try trainer(3, soft: false)
        try fill(weighted, two, [2, 0, 0, 0, 1, 0])
        try fill(repeated, Array(two.prefix(6)) + two, [0, 0, 1])
        for trainer in [weighted, repeated] {
            try trainer.training.forward()
            try trainer.training.backward()
        }
        #expect(close(try gradients(weighted), try gradients(repeated)))
    }

    /// Soft labels keep the symbol's normalisation, so that they do not change the learning rate.
    @Test(arguments: ["batch", "valid"]) func normalizationHolds(_ normalization: String) throws {
        let data = images(4), labels: [Float] = [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0]
        let plain = try trainer(4, soft: true), normalized = try trainer(4, soft: true, symbol: network(normalization))
        for trainer in [plain, normalized] {
            try fill(trainer, data, labels)
            try trainer.training.forward()
            try trainer.training.backward()
        }
        #expect(close(try gradients(normalized), try gradients(plain), scale: 0.25))
    }

    @Test func fitMeasuresAgainstSoftLabelsAndValidatesAgainstClasses() throws {
        let data = Tensor([12, 1, 2, 3], images(12)), labels = Tensor([12], (0..<12).map { Float($0 % 3) })
        let plain = try InMemorySource(data: data, labels: labels, batchSize: 4)
        var settings = SoftLabels()
        settings.smoothing = 0.3
        let trainer = try trainer(4, soft: true)
        let soft = try SoftLabelSource(plain, labels: settings, classes: 3)
        let validation = try InMemorySource(data: data, labels: labels, batchSize: 4)
        let report = try #require(
            try trainer.fit(training: soft, validation: validation, epochs: 0..<200).last)
        func value(_ values: [MetricValue], _ name: String) -> Double {
            values.first { $0.name == name }?.value ?? .nan
        }
        #expect(value(report.training, "accuracy") == 1)
        #expect(value(report.validation, "accuracy") == 1)
        // The entropy of 0.8, 0.1, 0.1 is 0.639: the smoothed labels allow no less.
        #expect((0.639...0.7).contains(value(report.training, "cross-entropy")))
        #expect(value(report.validation, "cross-entropy") < 0.4)
    }

    @Test func whatDoesNotFitIsNamed() throws {
        func message(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return ""
        }
        let plain = try InMemorySource(
            data: Tensor([4, 1, 2, 3], images(4)), labels: Tensor([4], [0, 1, 2, 0]), batchSize: 4)
        let soft = try SoftLabelSource(plain, labels: SoftLabels(), classes: 3)
        let five = try SoftLabelSource(plain, labels: SoftLabels(), classes: 5)
        #expect(message { try trainer(4, soft: true).fit(training: plain, epochs: 0..<1) }.contains("1 labels per row"))
        #expect(message { try trainer(4, soft: false).fit(training: soft, epochs: 0..<1) }.contains("3 labels per row"))
        #expect(message { try trainer(4, soft: true).fit(training: five, epochs: 0..<1) }.contains("5 labels per row"))
        let build = SymbolBuilder()
        let regression = try build.apply(
            "LinearRegressionOutput", name: "linear", hint: "linear",
            inputs: [build.fullyConnected(.variable("data"), numHidden: 3, name: "fc")])
        #expect(message { _ = try trainer(4, soft: true, symbol: regression) }.contains("require SoftmaxOutput"))
    }
}
