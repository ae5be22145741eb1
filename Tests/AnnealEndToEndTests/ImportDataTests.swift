import Anneal
import Foundation
import Testing

@Suite struct ImportDataTests {
    let tool: Tool
    init() throws { tool = try Tool() }

    @Test func foldersOfImages() throws {
        defer { tool.remove() }
        try tool.writeFolder("set/train", count: 30, classes: ["b", "a", "c"])
        try tool.writeFolder("set/val", count: 12, classes: ["b", "a", "c"], without: ["b"])
        try Files.writeAtomically(Data("x".utf8), to: tool.path("set/train/a/bad.png"))
        let run = try tool.run(["import-data", "imagefolder", "set", "out/set"])
        #expect(run.status == 0 && run.errors.contains("out/set_train.rec: 30 images; 1 image left out"), "\(run)")
        #expect(String(decoding: try tool.bytes("out/set_classes.txt"), as: UTF8.self) == "a\nb\nc\n")
        let records = try RecordFile(tool.path("out/set_val.rec"))
        // The classes of the training part: b, which has no images, still counts.
        #expect(records.classCounts(3) == [4, 0, 4])
        var payload: [UInt8] = []
        _ = try records.readSample(0, epoch: 0, into: &payload)
        // Copied unchanged.
        #expect(Data(payload[24...]) == (try tool.bytes("set/val/a/0001.png")))
    }

    @Test func fashionMNIST() throws {
        defer { tool.remove() }
        let source = "/usr/share/datasets/fashion-mnist"
        guard Files.isFolder(source) else { return print("skipped: there is no Fashion-MNIST") }
        try Files.makeFolder(tool.path("part"))
        // Both parts are the small one here.
        for kind in ["images-idx3", "labels-idx1"] {
            for part in ["train", "t10k"] {
                let file = try Files.read("\(source)/t10k-\(kind)-ubyte.gz")
                try Files.writeAtomically(file, to: tool.path("part/\(part)-\(kind)-ubyte.gz"))
            }
        }
        let run = try tool.run(["import-data", "fashion-mnist", "part", "fashion"])
        #expect(run.status == 0 && run.errors.contains("differs from the published file"), "\(run)")
        #expect(try RecordFile(tool.path("fashion_val.rec")).count == 10_000)
        #expect(String(decoding: try tool.bytes("fashion_classes.txt"), as: UTF8.self).contains("Trouser\n"))
    }

    @Test func oneErrorEach() throws {
        defer { tool.remove() }
        try Files.makeFolder(tool.path("empty"))
        for (arguments, expected) in [
            (["cifar", "empty", "x"], "cifar: is not a known data set"),
            (["cifar10", "none.tar.gz", "x"], "none.tar.gz: is not there"),
            (["cifar10", "empty", "x"], "empty: has no data_batch_1"),
            (["mnist", "empty", "x"], "empty: has no train-images-idx3-ubyte.gz"),
            (["cifar10", "empty", "x", "--resize", "3"], "--resize: is 3"),
        ] {
            let run = try tool.run(["import-data"] + arguments)
            #expect(run.status != 0 && run.errors.contains(expected), "\(run)")
            #expect(run.errors.split(separator: "\n").count == 1)
        }
    }
}
