import Anneal
import Foundation
import Testing

/// MXNet's `.states` in a trainer.
@Suite struct MXNetStatesTests {
    private func trainer(_ optimizer: String, _ settings: NamedOptions) throws -> Trainer {
        let net = SymbolBuilder()
        let scores = try net.fullyConnected(net.flatten(.variable("data")), numHidden: 3, name: "fc")
        let trainer = try Trainer(
            net.softmaxOutput(scores, name: "softmax"), dataShape: [1, 2, 2], batchSize: 2,
            optimizer: try Optimizers.make(optimizer, settings), seed: 1)
        try trainer.initialize(Xavier())
        let slot = try trainer.slot()
        for index in slot.data.indices { slot.data[index] = Float(index) / 4 }
        for index in slot.labels.indices { slot.labels[index] = Float(index) }
        return trainer
    }

    private func weights(_ trainer: Trainer) throws -> [Float] { try trainer.parameters.tensor("fc_weight").elements }

    /// A trainer that loads the weights and the momentum of another makes the same step.
    @Test func momentumGoesThroughMXNetsFile() throws {
        let path = NSTemporaryDirectory() + "anneal-states-" + UUID().uuidString
        defer { Files.remove(path) }
        let settings: NamedOptions = ["learning_rate": 0.1, "momentum": 0.9]
        let first = try trainer("sgd", settings), second = try trainer("sgd", settings)
        for _ in 0..<3 { try first.step() }
        try first.saveMXNetStates(to: path)
        for name in first.parameters.names { try second.parameters.set(name, first.parameters.tensor(name)) }
        try second.restoreMXNetStates(path)
        try first.step()
        try second.step()
        let expected = try weights(first), found = try weights(second)
        #expect(found == expected)

        let other = try trainer("adam", ["learning_rate": 0.1])
        #expect(throws: AnnealError.self) { try other.restoreMXNetStates(path) }
    }
}
