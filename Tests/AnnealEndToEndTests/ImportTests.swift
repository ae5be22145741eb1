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

    private func images(_ tool: Tool) throws {
        for (name, value) in [("a", 40), ("b", 200)] {
            try Files.makeFolder(tool.path("photos/\(name)"))
            for number in 0..<3 {
                var image = Image(width: 70, height: 66, channels: 3, filledWith: UInt8(value))
                for place in 0..<image.pixels.count where place % (number + 3) == 0 {
                    image.pixels[place] = UInt8(place % 251)
                }
                try Data(try image.encoded(as: .png(level: 1)))
                    .write(to: URL(fileURLWithPath: tool.path("photos/\(name)/\(number).png")))
            }
        }
    }

    private let numbers = ["--rgb-mean", "123.675,116.28,103.53", "--rgb-std", "58.395,57.12,57.375"]

    @Test func batchNormComesBack() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try images(tool)
        let model = Self.fixture("tv_squeezenet_ts")
        let result = try tool.run(["import", model, "--to", "bn", "--restore-batch-norm", "photos"] + numbers)
        // All convolutions except the last, which computes the scores.
        #expect(result.status == 0 && result.output.contains("Restored 10 batch norms from 6 images"), "\(result)")
        let plain = try tool.run(["import", model, "--to", "plain"] + numbers)
        #expect(plain.status == 0 && plain.output.contains("No batch norm"), "\(plain)")
        // fine-tune prints the same warning as for the file itself.
        func warns(_ pretrained: String, _ more: [String] = []) throws -> Bool {
            try tool.run(
                [
                    "fine-tune", "--pretrained-model", pretrained, "--data-train", "photos", "--num-epochs", "1",
                    "--batch-size", "2", "--lr", "0.001", "--layer-before-fullc", "features_6",
                    "--run-folder", "run-\(Files.name(of: pretrained))",
                ] + more
            ).errors.contains("or import it with --restore-batch-norm")
        }
        #expect(try warns("plain") && warns(model, numbers) && !warns("bn"))
        func answer(_ model: String) throws -> [Float] {
            let classifier = try Classifier(SavedModel(tool.path(model)))
            return try classifier.predict(imagePaths: [tool.path("photos/a/1.png")], top: 10)[0]
                .sorted { $0.index < $1.index }.map(\.probability)
        }
        let difference = zip(try answer("bn"), try answer("plain")).map { abs($0 - $1) }.max() ?? 1
        #expect(difference < 1e-5)
        let symbol = try Symbol.load(tool.path("bn-symbol.json"))
        #expect(symbol.nodes.count { $0.operation == BatchNorm.name } == 10)
        let none = try tool.run(["import", model, "--to", "none", "--restore-batch-norm", "photos"])
        #expect(none.status == 64 && none.errors.contains("--rgb-mean"), "\(none)")
    }

    /// Scores that timm computes with the same weights and `aa_layer=BlurPool2d` or `nn.AvgPool2d`.
    @Test(arguments: [
        (
            "resnextblur17",
            [
                0.2056632, -6.019306, 2.352656, -8.069956, 0.4915876, 0.1249715, -2.86399, -1.498931, 10.26278,
                4.466085,
                0.9230509, -7.419253, 3.236812, -8.745098, 0.2432939, -0.9036831, -2.651819, -2.017803, 10.16576,
                4.314506,
            ] as [Float]
        ),
        (
            "resnextaa17",
            [
                0.9838137, -2.700922, 1.102057, -4.009964, 0.7903212, -0.2087082, -2.448018, -1.480496, 4.503323,
                1.146203,
                1.345554, -2.640235, 1.40607, -4.17027, 0.973897, -0.6289626, -1.833385, -1.25286, 4.003487, 1.23117,
            ]
        ),
    ])
    func antialiasedNetworksAreTimms(_ architecture: String, _ expected: [Float]) throws {
        let folder = Files.folder(of: Self.fixture("weights_resnext"))
        let model = try ForeignModel(
            Files.path(folder, "model.pth"), imageShape: [3, 64, 64], architecture: architecture)
        let executor = try Executor(
            model.symbol.endingInLogits(), inputs: ["data": [2, 3, 64, 64]], mode: .inference)
        try model.checkpoint().restore(executor.parameters, place: "")
        let bytes = try Files.read(Files.path(folder, "input_0.f32"))
        let input = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        try executor.setInput("data", Tensor([2, 3, 64, 64], input))
        try executor.forward()
        let found = try executor.output().elements
        let scale = expected.map(abs).max() ?? 0
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-4 * scale }, "\(found)")
    }

    @Test func commandsTakeModelFiles() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try images(tool)
        let model = Self.fixture("tv_squeezenet_ts")
        let predicted = try tool.run(["predict", "--model", model, "--format", "json", "photos/a/0.png"] + numbers)
        #expect(predicted.status == 0 && predicted.output.contains("probability"), "\(predicted)")
        let unknown = try tool.run(["predict", "--model", model, "photos/a/0.png"])
        #expect(
            unknown.status == 64 && unknown.errors.contains("does not say how its images were preprocessed"),
            "\(unknown)")
        let weights = Files.path(Files.folder(of: Files.folder(of: model)), "weights_resnext/model.pth")
        let summary = try tool.run(["summary", "--model", weights, "--image-shape", "3,64,64"])
        #expect(summary.status == 0 && summary.output.contains("layer4_0_conv3"), "\(summary)")
        let tuned = try tool.run([
            "fine-tune", "--pretrained-model", weights, "--image-shape", "3,64,64", "--data-train", "photos",
            "--num-epochs", "1", "--batch-size", "2", "--lr", "0.01", "--run-folder", "run",
        ])
        #expect(tuned.status == 0 && Files.exists(tool.path("run/model-0001.params")), "\(tuned)")
        // MXNet's zoo: which of today's files is the same network.
        let zoo = try tool.run([
            "fine-tune", "--pretrained-model", "resnext-101", "--load-epoch", "0000", "--data-train", "photos",
            "--num-classes", "2", "--image-shape", "3,28,28",
        ])
        #expect(zoo.status == 1 && zoo.errors.contains("timm's resnext101_32x4d is the same network"), "\(zoo)")
        #expect(zoo.errors.contains("anneal import resnext101_32x4d.safetensors --to resnext-101"))
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
