import AnnealCore
import AnnealImport
import Foundation
import Testing

/// Files that are not models, and unsupported models, give a single error.
@Suite struct ONNXReaderTests {
    private func failure(_ data: Data, path: String? = nil, _ options: ImportOptions = ImportOptions()) -> AnnealError?
    {
        do {
            _ = try ONNXImporter(data, path: path, options: options).model()
            return nil
        } catch {
            return error as? AnnealError
        }
    }

    @Test func refusesWhatIsNoModel() {
        #expect(failure(Data())?.code == .damaged)
        #expect(failure(Data("PK\u{3}\u{4} a zip file, which begins otherwise".utf8))?.code == .damaged)
        // A field of 2^60 bytes.
        #expect(failure(Data([0x3a] + ModelBytes.varint(1 << 60)))?.code == .damaged)
        // A number of eleven bytes.
        #expect(failure(Data([0x08] + Array(repeating: 0xff, count: 11)))?.code == .damaged)
        // A group, which Protocol Buffers had long ago.
        #expect(failure(Data([0x0b, 0x0c]))?.code == .damaged)
        // Truncated anywhere.
        let whole = flatModel()
        #expect(failure(whole) == nil)
        for count in stride(from: 0, to: whole.count, by: 7) {
            #expect(failure(whole.prefix(count)) != nil, "\(count) of \(whole.count) bytes are taken")
        }
    }

    private func flatModel(opset: Int = 17) -> Data {
        ModelBytes.model(
            nodes: [
                ModelBytes.node("Flatten", ["x"], "f"), ModelBytes.node("MatMul", ["f", "w"], "y", name: "head"),
            ], constants: [ModelBytes.tensor("w", [48, 2], Array(repeating: 0.5, count: 96))], opset: opset)
    }

    @Test func listsEveryNodeThatCannotBeTaken() throws {
        let data = ModelBytes.model(nodes: [
            ModelBytes.node("Einsum", ["x"], "a", name: "mix"),
            ModelBytes.node("Relu", ["a"], "b", name: "relu"),
            ModelBytes.node("FancyNorm", ["b"], "c", name: "norm", domain: "com.vendor"),
            ModelBytes.node("ScatterND", ["c"], "y"),
        ])
        let error = try #require(failure(data))
        #expect(error.code == .unsupported)
        for part in ["3 nodes", "mix (Einsum)", "norm (com.vendor:FancyNorm)", "node 3 (ScatterND)"] {
            #expect(error.problem.contains(part), "\(part) in: \(error)")
        }
        #expect(!error.problem.contains("relu"))
    }

    /// In a file for one image, shapes written for one image are not an error.
    @Test func listsWhatIsWrongForTheBatchOfTheFile() throws {
        let shape =
            ModelBytes.integer(1, 2) + ModelBytes.integer(2, 7) + ModelBytes.text(8, "one")
            + [1, 48].flatMap { ModelBytes.integer(7, $0) }
        let data = ModelBytes.model(
            nodes: [
                ModelBytes.node("Reshape", ["x", "one"], "r", name: "rows"),
                ModelBytes.node("Einsum", ["x"], "e", name: "mix"), ModelBytes.node("Add", ["r", "e"], "y"),
            ], constants: [shape], input: ModelBytes.port("x", [1, 3, 4, 4]))
        let error = try #require(failure(data))
        #expect(error.problem.contains("1 node cannot be imported: mix (Einsum)"), "\(error)")
        #expect(!error.problem.contains("rows") && error.suggestion?.contains("MaxViT") == true, "\(error)")
    }

    @Test func newerOperatorsAreTold() throws {
        func notes(_ opset: Int) throws -> [String] {
            let nodes = [ModelBytes.node("Flatten", ["x"], "y")]
            return try ONNXImporter(ModelBytes.model(nodes: nodes, opset: opset), path: nil).model().notes
        }
        let known = try notes(28), newer = try notes(99)
        #expect(known.isEmpty && newer.count == 1 && newer[0].contains("version 99"), "\(newer)")
    }

    @Test func tellsWhatIsMissingOrDoesNotFit() throws {
        #expect(failure(flatModel(opset: 6))?.problem.contains("version 6") == true)
        let short = ModelBytes.model(
            nodes: [ModelBytes.node("MatMul", ["x", "w"], "y")], constants: [ModelBytes.tensor("w", [48, 2], [1, 2])])
        let damaged = try #require(failure(short))
        #expect(damaged.code == .damaged && damaged.place.contains("constant w"), "\(damaged)")
        let open = ModelBytes.model(
            nodes: [ModelBytes.node("Flatten", ["x"], "y")], input: ModelBytes.port("x", [nil, 3, nil, nil]))
        #expect(failure(open)?.suggestion?.contains("--image-shape") == true)
        #expect(failure(open, ImportOptions(imageShape: [3, 4, 4])) == nil)
        #expect(failure(open, ImportOptions(imageShape: [1, 4, 4]))?.code == .mismatch)
        // 48 numbers per image do not fit 47 rows.
        let wrong = ModelBytes.model(
            nodes: [ModelBytes.node("Flatten", ["x"], "f"), ModelBytes.node("MatMul", ["f", "w"], "y", name: "head")],
            constants: [ModelBytes.tensor("w", [47, 2], Array(repeating: 1, count: 94))])
        let mismatch = try #require(failure(wrong))
        #expect(mismatch.problem.contains("head (MatMul)"), "\(mismatch)")
    }

    @Test func dataOfOtherFilesStaysInTheModelsFolder() throws {
        let folder = NSTemporaryDirectory() + "anneal-import-" + UUID().uuidString
        try Files.makeFolder(folder + "/model")
        defer { Files.removeFolder(folder) }
        let numbers = (0..<96).map { Float($0) }
        try numbers.withUnsafeBytes { try Files.writeAtomically(Data($0), to: folder + "/model/w.data") }
        try Files.writeAtomically(Data(count: 400), to: folder + "/secret")
        #expect(symlink(folder + "/secret", folder + "/model/link") == 0)
        func taken(_ entries: [(String, String)]) -> (ImportedModel?, AnnealError?) {
            let data = ModelBytes.model(
                nodes: [ModelBytes.node("Flatten", ["x"], "f"), ModelBytes.node("MatMul", ["f", "w"], "y")],
                constants: [ModelBytes.external("w", [48, 2], entries)])
            do {
                return (try ONNXImporter(data, path: folder + "/model/m.onnx").model(), nil)
            } catch { return (nil, error as? AnnealError) }
        }
        let found = taken([("location", "w.data")]).0?.arguments.values.first?.floats
        // Fully connected layers store the transposed matrix.
        #expect(found?.prefix(3) == [0, 2, 4] && found?.suffix(1) == [95])
        for location in ["../secret", folder + "/secret", "link", "a/../../secret"] {
            let error = taken([("location", location)]).1
            #expect(error?.problem.contains("outside") == true, "\(location): \(String(describing: error))")
        }
        #expect(taken([("location", "w.data"), ("offset", "4"), ("length", "384")]).1?.code == .damaged)
        #expect(taken([("location", "w.data"), ("offset", "-4")]).1?.code == .damaged)
        let missing = taken([("location", "missing")]).1
        #expect(missing?.code == .notFound && missing?.suggestion?.contains("copy it") == true)
        #expect(taken([]).1?.code == .damaged)
    }

    @Test func readsTheNamesOfClasses() throws {
        func names(_ key: String, _ value: String) throws -> [String]? {
            let data = ModelBytes.model(
                nodes: [ModelBytes.node("Flatten", ["x"], "y")], metadata: [(key, value)])
            return try ONNXImporter(data, path: nil).model().images.classNames
        }
        let json = try names("class_names", #"["cat", "dog"]"#), python = try names("names", "{0: 'cat', 1: \"d'og\"}")
        #expect(json == ["cat", "dog"])
        #expect(python == ["cat", "d'og"])
        let gap = try names("names", "{0: 'cat', 2: 'dog'}")
        #expect(gap == nil)
    }
}
