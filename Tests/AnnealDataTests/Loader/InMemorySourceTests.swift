import AnnealCore
import AnnealData
import Testing

@Suite struct InMemorySourceTests {
    private func source(shuffle: Bool = false) throws -> InMemorySource {
        let data = Tensor([5, 2], (0..<10).map(Float.init))
        return try InMemorySource(
            data: data, labels: Tensor([5], [0, 1, 2, 3, 4]), batchSize: 2, shuffle: shuffle, seed: 1)
    }

    @Test func batchesInOrder() throws {
        let all = try batches(try source())
        #expect(all.map(\.valid) == [2, 2, 1])
        #expect(all.map(\.labels) == [[0, 1], [2, 3], [4, 0]])
        #expect(all[2].data == [8, 9, 0, 1])
        #expect(try batches(try source(), from: 2) == [all[2]])
    }

    @Test func shufflingIsRepeatable() throws {
        let source = try source(shuffle: true)
        let first = try batches(source, epoch: 4)
        #expect(first == (try batches(source, epoch: 4)))
        #expect(Set(first.flatMap { $0.labels.prefix($0.valid) }) == [0, 1, 2, 3, 4])
        #expect((0..<8).contains { (try? batches(source, epoch: $0)) != first })
    }

    @Test func shapesMustFit() {
        #expect(
            message { _ = try InMemorySource(data: Tensor([2, 2]), labels: Tensor([3]), batchSize: 1) }.contains(
                "labels"))
        #expect(
            message { _ = try InMemorySource(data: Tensor([2]), labels: Tensor([2]), batchSize: 1) }.contains("data"))
    }
}
