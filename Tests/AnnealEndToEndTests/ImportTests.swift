import Anneal
import Foundation
import Testing

@Suite struct ImportCommandTests {
    private static func fixture(_ name: String) -> String {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        return root.appendingPathComponent("Tests/Fixtures/onnx/\(name)/model.onnx").path
    }

    @Test func importsAndPredicts() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try Data((0..<10).map { "class \($0)" }.joined(separator: "\n").utf8)
            .write(to: URL(fileURLWithPath: tool.path("names.txt")))
        let result = try tool.run([
            "import", Self.fixture("tv_squeezenet_ts"), "--to", "out/squeeze", "--rgb-mean", "123.675,116.28,103.53",
            "--rgb-std", "58.395,57.12,57.375", "--resize", "72", "--class-names", "names.txt",
        ])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("out/squeeze-0000.params") && result.output.contains("images of 3,64,64"))
        #expect(result.output.contains("classes: 10, class 0"))
        let record = try Preprocessing.load(prefix: tool.path("out/squeeze"))
        let expected = Preprocessing(
            imageShape: [3, 64, 64], mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375], resize: 72,
            classNames: (0..<10).map { "class \($0)" })
        #expect(record == expected)
        let image = try Image(width: 80, height: 90, channels: 3, filledWith: 90).encoded(as: .png(level: 1))
        try Data(image).write(to: URL(fileURLWithPath: tool.path("a.png")))
        let answer = try tool.run(["predict", "--model", "out/squeeze", "--format", "json", "a.png"])
        #expect(answer.status == 0 && answer.output.contains("class "), "\(answer.errors)")
    }

    @Test func importErrors() throws {
        let tool = try Tool()
        defer { tool.remove() }
        func fails(_ arguments: [String], _ status: Int32, _ names: String...) throws {
            let result = try tool.run(["import"] + arguments)
            #expect(result.status == status, "\(arguments): \(result.errors)")
            for name in names { #expect(result.errors.contains(name), "\(name) in: \(result.errors)") }
        }
        let model = Self.fixture("legacy_ir3_lrn")
        try fails(["none.onnx", "--to", "m"], 1, "none.onnx")
        try fails([model], 64, "--to")
        try fails([model, "--to", "m", "--resize", "30"], 64, "--rgb-mean")
        try fails([model, "--to", "m", "--image-shape", "1,24,24"], 1, model, "channels")
        try fails(["model.h5", "--to", "m"], 1, "model.h5", ".onnx")
        try Data(try Files.read(model).dropLast(100)).write(to: URL(fileURLWithPath: tool.path("cut.onnx")))
        try fails(["cut.onnx", "--to", "m"], 1, "cut.onnx", "byte")
        #expect(!Files.exists(tool.path("m-symbol.json")))
        let first = try tool.run(["import", model, "--to", "m"])
        #expect(first.status == 0 && first.output.contains("--rgb-mean"), "\(first.errors)")
        try fails([model, "--to", "m"], 1, "m-symbol.json", "already")
    }
}
