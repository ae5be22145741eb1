import AnnealCore
import AnnealData
import Foundation
import Testing

/// The output of MXNet 1.9.1's MNISTIter and CSVIter for the same files.
@Suite struct IteratorTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func mnist() throws {
        let images = try folder.file(
            "i", [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2] + [0, 64, 128, 255, 1, 2, 3, 4, 5, 6, 7, 8])
        let labels = try folder.file("l", [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 9])
        let source = try InMemorySource(mnist: images, labels: labels, batchSize: 2)
        let all = try batches(source)
        #expect(source.dataShape == [1, 2, 2] && all.map(\.valid) == [2, 1])
        #expect(all[0].data.prefix(4) == [0, 0.25, 0.5, 0.99609375] && all[0].labels == [5, 0])
        #expect(try InMemorySource(mnist: images, labels: labels, batchSize: 2, flat: true).dataShape == [4])
    }

    @Test func csv() throws {
        let data = try folder.file("d.csv", Array("1,2,3\n4, 5,6\r\n7,8,9\n".utf8))
        let labels = try folder.file("t.csv", Array("1\n0\n2\n".utf8))
        let all = try batches(InMemorySource(csv: data, dataShape: [3], labels: labels, batchSize: 2))
        #expect(all.map(\.data) == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 1, 2, 3]])
        #expect(all.map(\.labels) == [[1, 0], [2, 1]] && all.map(\.valid) == [2, 1])
        #expect(try batches(InMemorySource(csv: data, dataShape: [3], batchSize: 3))[0].labels == [0, 0, 0])
        func error(_ text: String) throws -> String {
            let path = try folder.file("bad.csv", Array(text.utf8))
            return message { _ = try InMemorySource(csv: path, dataShape: [3], batchSize: 1) }
        }
        #expect(try error("1,2,3\n4,5\n").contains("bad.csv, line 2: has 2 numbers, expected 3"))
        #expect(try error("1,2,x\n").contains("bad.csv, line 1: \"x\" is not a number"))
        let few = try folder.file("few.csv", Array("1\n".utf8))
        #expect(
            message { _ = try InMemorySource(csv: data, dataShape: [3], labels: few, batchSize: 1) }
                .contains("few.csv: has 1 lines"))
    }

    @Test func imageRecords() throws {
        let path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 6)
        let parameters: [String: Any] = [
            "path_imgrec": path, "data_shape": [3, 8, 8], "batch_size": 3, "scale": 0.5, "round_batch": false,
        ]
        let all = try batches(BatchLoader.imageRecordIter(parameters))
        #expect(all.map(\.labels) == [[0, 1, 2], [3, 4, 5]])
        #expect(
            message { _ = try BatchLoader.imageRecordIter(parameters.merging(["rand_shear": 1]) { $1 }) }
                .contains("rand_shear: is not supported"))
    }
}
