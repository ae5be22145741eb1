import Anneal
import Foundation
import Testing

/// Bad input gives one line that names the place, the right exit code, and no checkpoint.
@Suite struct BadInputTests {
    struct Wrong: Sendable, CustomTestStringConvertible {
        var what: String
        var change: @Sendable ([String]) -> [String]
        var status: Int32
        var names: [String]
        var testDescription: String { what }
    }

    static func replacing(_ flag: String, _ value: String) -> @Sendable ([String]) -> [String] {
        { arguments in
            guard let at = arguments.firstIndex(of: flag) else { return arguments + [flag, value] }
            var result = arguments
            result[at + 1] = value
            return result
        }
    }

    static let cases: [Wrong] = [
        Wrong(what: "missing file", change: replacing("--data-train", "none.rec"), status: 1, names: ["none.rec"]),
        Wrong(
            what: "truncated records", change: replacing("--data-train", "cut.rec"), status: 1,
            names: ["cut.rec", "byte"]),
        Wrong(
            what: "foreign file", change: replacing("--data-train", "text.rec"), status: 1,
            names: ["text.rec", "byte 0"]),
        Wrong(
            what: "undecodable image", change: replacing("--data-train", "broken.rec"), status: 1,
            names: ["broken.rec", "record"]),
        Wrong(
            what: "label outside", change: replacing("--num-classes", "2"), status: 1, names: ["train.rec", "label"]),
        Wrong(what: "a folder", change: replacing("--data-train", "."), status: 1, names: ["folder"]),
        Wrong(
            what: "gpus", change: replacing("--gpus", "0,1,2,3"), status: 64,
            names: ["--gpus 0,1,2,3", "without --gpus"]),
        Wrong(
            what: "later flag", change: replacing("--profile-worker-suffix", "w"), status: 64,
            names: ["--profile-worker-suffix", "not supported"]),
        Wrong(
            what: "abbreviated later flag", change: replacing("--profile-s", "s"), status: 64,
            names: ["--profile-server-suffix"]),
        Wrong(
            what: "compression", change: replacing("--gc-type", "3bit"), status: 64, names: ["--gc-type 3bit", "2bit"]),
        Wrong(what: "threshold", change: replacing("--gc-threshold", "0"), status: 64, names: ["--gc-threshold"]),
        Wrong(what: "unknown flag", change: replacing("--colour", "red"), status: 64, names: ["--colour"]),
        Wrong(what: "ambiguous flag", change: replacing("--rgb", "1"), status: 64, names: ["--rgb-mean", "--rgb-std"]),
        Wrong(
            what: "image shape", change: replacing("--image-shape", "28x28"), status: 64, names: ["--image-shape 28x28"]
        ),
        Wrong(
            what: "endless run", change: replacing("--num-epochs", "9223372036854775807"), status: 64,
            names: ["--num-epochs"]),
        Wrong(
            what: "impossible examples", change: replacing("--num-examples", "9223372036854775807"), status: 64,
            names: ["--num-examples"]),
        Wrong(what: "batch size", change: replacing("--batch-size", "0"), status: 64, names: ["--batch-size"]),
        Wrong(what: "network", change: replacing("--network", "resnet9"), status: 64, names: ["resnet9"]),
        Wrong(
            what: "depth", change: { replacing("--num-layers", "21")(replacing("--network", "resnet")($0)) },
            status: 64, names: ["21"]),
        Wrong(what: "optimizer", change: replacing("--optimizer", "sdg"), status: 64, names: ["sdg"]),
        Wrong(what: "learning rate", change: replacing("--lr", "nan"), status: 64, names: ["--lr: is nan"]),
        Wrong(
            what: "freeze pattern", change: replacing("--freeze", "fc9_weight"), status: 64,
            names: ["--freeze 'fc9_weight'", "fc1_weight"]),
        Wrong(what: "freeze all", change: replacing("--freeze", ".*"), status: 1, names: ["no parameter left"]),
        Wrong(
            what: "lr-mult", change: replacing("--lr-mult", "fc1"), status: 64, names: ["--lr-mult 'fc1'", "'fc=10'"]),
        Wrong(what: "wd-mult", change: replacing("--wd-mult", "fc1=-1"), status: 64, names: ["--wd-mult 'fc1=-1'"]),
        Wrong(what: "model prefix", change: replacing("--model-prefix", "out/"), status: 64, names: ["--model-prefix"]),
        Wrong(
            what: "step epochs", change: replacing("--lr-step-epochs", "5,2"), status: 64, names: ["--lr-step-epochs"]),
        Wrong(
            what: "small image", change: { replacing("--image-shape", "1,3,3")(replacing("--network", "lenet")($0)) },
            status: 1, names: ["layer"]),
        Wrong(
            what: "symbol file", change: replacing("--network", "bad-symbol.json"), status: 1,
            names: ["bad-symbol.json"]),
        Wrong(
            what: "symbol file of other classes",
            change: {
                replacing("--num-classes", "4")(replacing("--network", "three-symbol.json")($0))
            }, status: 1, names: ["three-symbol.json", "3 outputs", "4 classes"]),
        Wrong(
            what: "endless patience", change: replacing("--early-stopping", "9223372036854775807"), status: 64,
            names: ["--early-stopping"]),
        Wrong(
            what: "endless steps", change: replacing("--lr-step-epochs", "9223372036854775807"), status: 64,
            names: ["--lr-step-epochs"]),
        Wrong(
            what: "steps before all time", change: replacing("--lr-step-epochs", "-9223372036854775808"), status: 64,
            names: ["--lr-step-epochs"]),
        Wrong(
            what: "epochs before all time", change: replacing("--num-epochs", "-9223372036854775808"), status: 64,
            names: ["--num-epochs"]),
        Wrong(
            what: "endless classes", change: replacing("--num-classes", "9223372036854775807"), status: 64,
            names: ["--num-classes", "16777216"]),
        Wrong(
            what: "nesterov without momentum", change: { replacing("--mom", "0")($0) + ["--nesterov"] }, status: 64,
            names: ["--nesterov", "--mom 0.9"]),
        Wrong(what: "no such checkpoint", change: replacing("--load-epoch", "7"), status: 1, names: ["-0007.params"]),
    ]

    @Test(arguments: cases) func oneClearError(_ wrong: Wrong) throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 60)
        try tool.writeRecords("val", count: 20)
        let whole = try tool.bytes("train.rec")
        try whole.dropLast(37).write(to: URL(fileURLWithPath: tool.path("cut.rec")))
        try Data("not records at all".utf8).write(to: URL(fileURLWithPath: tool.path("text.rec")))
        try Data("{\"nodes\": 3}".utf8).write(to: URL(fileURLWithPath: tool.path("bad-symbol.json")))
        let three = try Networks.symbol("mlp", NetworkOptions(numClasses: 3, imageShape: [1, 12, 12]))
        try Files.writeAtomically(Data(try three.json().utf8), to: tool.path("three-symbol.json"))
        var broken = whole
        for i in 60..<120 { broken[broken.startIndex + i] ^= 0x55 }
        try broken.write(to: URL(fileURLWithPath: tool.path("broken.rec")))

        let result = try tool.run(wrong.change(tool.training(1, prefix: "out/m")))
        #expect(result.status == wrong.status, "\(result.errors)")
        for name in wrong.names { #expect(result.errors.contains(name), "\(name) in: \(result.errors)") }
        let left = try? FileManager.default.contentsOfDirectory(atPath: tool.path("out"))
        #expect(!(left ?? []).contains { $0.hasSuffix(".params") || $0.hasSuffix(".tmp") })
    }

    @Test func skipsBadRecordsWhenAsked() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 60)
        try tool.writeRecords("val", count: 20)
        var broken = try tool.bytes("train.rec")
        for i in 60..<120 { broken[broken.startIndex + i] ^= 0x55 }
        try broken.write(to: URL(fileURLWithPath: tool.path("train.rec")))
        let result = try tool.run(tool.training(1, prefix: "m", ["--on-bad-record", "skip"]))
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.contains("skipped train.rec, record "))
    }

    /// Parameters that do not match the network: the error names the file and the parameter.
    @Test func foreignParameters() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 60)
        try tool.writeRecords("val", count: 20)
        #expect(try tool.run(tool.training(1, prefix: "m")).status == 0)
        let wrong = try tool.run([
            "score", "--model", "m", "--load-epoch", "1", "--data-val", "val.rec", "--image-shape", "1,14,14",
        ])
        #expect(wrong.status == 1)
        #expect(wrong.errors.contains("m-0001.params") && wrong.errors.contains("fc1_weight"))
        try Data(try tool.bytes("m-0001.params").dropLast(100)).write(
            to: URL(fileURLWithPath: tool.path("m-0001.params")))
        let cut = try tool.run(["score", "--model", "m", "--load-epoch", "1", "--data-val", "val.rec"])
        #expect(cut.status == 1)
        #expect(cut.errors.contains("m-0001.params") && cut.errors.contains("byte"))
    }
}
