import Anneal
import Foundation
import Testing

/// Runs that are resumed with data other than they were started with.
@Suite struct ChangedDataTests {
    private func train(_ tool: Tool, _ data: String, _ validation: String) throws {
        let run = try tool.run([
            "train", "--network", "mlp", "--image-shape", "1,12,12", "--num-classes", "3", "--data-train", data,
            "--data-val", validation, "--batch-size", "32", "--num-epochs", "1", "--run-folder", "r",
        ])
        #expect(run.status == 0, "\(run.errors)")
    }

    /// Images whose size does not depend on their level.
    private func writeFlat(_ tool: Tool, _ level: UInt8) throws {
        let writer = try RecordWriter(tool.path("val.rec"), index: nil)
        let image = try Image(width: 12, height: 12, channels: 1, filledWith: level).encoded(as: .png(level: 0))
        for id in 0..<32 { try writer.write(IRHeader(label: Float(id % 3), id: UInt64(id)).packed(image)) }
        try writer.finish()
    }

    private func resume(_ tool: Tool, _ epochs: Int, _ more: [String] = []) throws -> Tool.Result {
        try tool.run(["resume", "r", "--num-epochs", "\(epochs)"] + more)
    }

    @Test func otherRecordsAreRefused() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 96)
        try writeFlat(tool, 7)
        try train(tool, "train.rec", "val.rec")
        // With the same count, sizes and labels.
        let whole = try tool.bytes("val.rec")
        try writeFlat(tool, 8)
        let changed = try tool.bytes("val.rec")
        #expect(changed.count == whole.count)
        let refused = try resume(tool, 2)
        #expect(refused.status == 1 && refused.errors.contains("the validation data has changed"), "\(refused.errors)")
        #expect(refused.errors.contains("val.rec: some images have changed"), "\(refused.errors)")
        #expect(refused.errors.contains("--accept-changed-data"))
        let verified = try tool.run(["verify-resume", "r", "--steps", "2"])
        #expect(
            verified.status == 1 && verified.errors.contains("the validation data has changed"), "\(verified.errors)")
        let verifiedAnyway = try tool.run(["verify-resume", "r", "--steps", "2", "--accept-changed-data"])
        #expect(
            verifiedAnyway.status == 0 && verifiedAnyway.errors.contains("warning: the validation data has changed"))
        let accepted = try resume(tool, 2, ["--accept-changed-data"])
        #expect(accepted.status == 0, "\(accepted.errors)")
        // From here on the accepted data belongs to the run.
        #expect(try resume(tool, 3).status == 0)
        try whole.write(to: URL(fileURLWithPath: tool.path("val.rec")))
        #expect(try resume(tool, 4).status == 1)
        // The same data in another place.
        try changed.write(to: URL(fileURLWithPath: tool.path("moved.rec")))
        let moved = try resume(tool, 4, ["--data-val", "moved.rec"])
        #expect(moved.status == 0, "\(moved.errors)")
    }

    @Test func aFolderWithMoreImagesIsRefused() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeFolder("images", count: 48, classes: ["a", "b", "c"])
        try tool.writeRecords("val", count: 32)
        try train(tool, "images", "val.rec")
        try tool.writeFolder("images", count: 51, classes: ["a", "b", "c"])
        let refused = try resume(tool, 2)
        #expect(
            refused.status == 1 && refused.errors.contains("class a had 16 images, now it has 17"), "\(refused.errors)")
        #expect(try resume(tool, 2, ["--accept-changed-data"]).status == 0)
    }

    /// A run of version 0.1 resumes as before.
    @Test func aRunWithoutAFingerprintIsNotChecked() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 96)
        try tool.writeRecords("val", count: 32)
        try train(tool, "train.rec", "val.rec")
        var record = try RunRecord.read(tool.path("r/arguments.json"))
        #expect(record.data?.keys.sorted() == ["training", "validation"])
        record.data = nil
        try record.json().write(to: URL(fileURLWithPath: tool.path("r/arguments.json")))
        try tool.writeRecords("train", count: 93)
        let resumed = try resume(tool, 2)
        #expect(resumed.status == 0 && resumed.errors.contains("changes cannot be detected"), "\(resumed.errors)")
    }

    @Test func labelsThatAreNotClassesStopARunBeforeItStarts() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let image = try Image(width: 12, height: 12, channels: 1, filledWith: 9).encoded(as: .png(level: 6))
        let writer = try RecordWriter(tool.path("half.rec"), index: nil)
        for id in 0..<40 { try writer.write(IRHeader(label: id == 30 ? 0.5 : 1, id: UInt64(id)).packed(image)) }
        try writer.finish()
        let refused = try tool.run([
            "train", "--network", "mlp", "--image-shape", "1,12,12", "--num-classes", "3", "--data-train", "half.rec",
            "--batch-size", "32", "--num-epochs", "1", "--run-folder", "r",
        ])
        #expect(refused.status == 1 && refused.errors.contains("record 30 (id 30)"), "\(refused.errors)")
        #expect(refused.errors.contains("its label 0.5 is not a whole number"))
        #expect(!Files.exists(tool.path("r")))
    }
}
