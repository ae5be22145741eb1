import AnnealCore
import AnnealData
import AnnealGraph
import Foundation

/// Kinds `recordio`, `packed`, `iterator` and `im2rec`; nil for other kinds.
package func checkDataCase(kind: String, folder: String, json: [String: Any]) throws -> CaseOutcome? {
    let check = DataCheck(folder: folder, json: json)
    switch kind {
    case "recordio": try check.recordio()
    case "packed": try check.packed()
    case "iterator": try check.iterator()
    case "im2rec": try check.im2rec()
    default: return nil
    }
    return check.problems.isEmpty ? .passed : .failed(check.problems.joined(separator: "\n"))
}

/// One case of records or batches, and its problems.
private final class DataCheck {
    let folder: String
    let json: [String: Any]
    var problems: [String] = []

    init(folder: String, json: [String: Any]) {
        self.folder = folder
        self.json = json
    }

    private var records: [[String: Any]] { json["records"] as? [[String: Any]] ?? [] }

    private func path(_ key: String) -> String? { (json[key] as? String).map { "\(folder)/\($0)" } }

    private func demand(_ holds: Bool, _ problem: @autoclosure () -> String) {
        if !holds { problems.append(problem()) }
    }

    private func arrays() throws -> [String: Tensor] {
        Dictionary(
            try ParamsFile.read("\(folder)/io.params").map { ($0.name, $0.tensor()) },
            uniquingKeysWith: { first, _ in first })
    }

    /// A folder that is removed after `body`.
    private func withTemporaryFolder(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "anneal-case-\(UUID().uuidString)"
        try Files.makeFolder(path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func demandSameBytes(_ found: String, _ expected: String) throws {
        let a = try Files.read(found)
        let b = try Files.read(expected)
        guard a != b else { return }
        let common = zip(a, b).prefix { $0 == $1 }.count
        problems.append("\(Files.name(of: expected)): written differently from byte \(common) on")
    }

    /// Reads the file (by scanning and by its index), and writes it again.
    func recordio() throws {
        guard let rec = path("rec") else { return problems.append("no rec") }
        let index = path("idx")
        for file in [try RecordFile(rec)] + (try index.map { [try RecordFile(rec, index: $0)] } ?? []) {
            demand(file.count == records.count, "\(file.count) records, expected \(records.count)")
            for (number, expected) in records.enumerated().prefix(file.count) {
                let payload = try file.read(number)
                let parts = try file.parts(of: number).map { [$0.flag, $0.length] }
                demand(file.entries[number].offset == expected["offset"] as? Int, "record \(number): offset")
                demand(payload.count == expected["size"] as? Int, "record \(number): \(payload.count) bytes")
                demand(SHA256.digits(of: payload) == expected["sha256"] as? String, "record \(number): other bytes")
                if let expected = expected["parts"] as? [[Int]] {
                    demand(parts == expected, "record \(number): parts \(parts)")
                }
            }
        }
        try rewrite(rec, index)
    }

    private func rewrite(_ rec: String, _ index: String?) throws {
        try withTemporaryFolder { temporary in
            let file = try RecordFile(rec, index: index)
            let writer = try RecordWriter("\(temporary)/a.rec", index: index == nil ? nil : "\(temporary)/a.idx")
            for number in 0..<file.count { try writer.write(try file.read(number), key: file.entries[number].key) }
            try writer.finish()
            try demandSameBytes("\(temporary)/a.rec", rec)
            if let index { try demandSameBytes("\(temporary)/a.idx", index) }
        }
    }

    /// Headers, labels and images; headers packed again give the same bytes.
    func packed() throws {
        guard let rec = path("rec"), let index = path("idx") else { return problems.append("no rec") }
        let file = try RecordFile(rec, index: index)
        let pixels = try arrays()
        demand(file.count == records.count, "\(file.count) records, expected \(records.count)")
        for (number, expected) in records.enumerated().prefix(file.count) {
            let payload = try file.read(number)
            var start = 0
            let header = try IRHeader(payload, imageStart: &start)
            let labels = (expected["label"] as? [NSNumber] ?? []).map(\.floatValue)
            demand(header.flag == expected["flag"] as? Int, "record \(number): flag \(header.flag)")
            demand(header.labels == labels, "record \(number): labels \(header.labels)")
            demand(header.id == (expected["id"] as? NSNumber)?.uint64Value, "record \(number): id \(header.id)")
            demand(header.id2 == (expected["id2"] as? NSNumber)?.uint64Value, "record \(number): id2 \(header.id2)")
            demand(header.packed(Array(payload[start...])) == payload, "record \(number): packed differently")
            if let sum = expected["payload_sha256"] as? String {
                demand(SHA256.digits(of: payload[start...]) == sum, "record \(number): other bytes after the header")
            }
            if let key = expected["key"] as? Int, let image = pixels["pixels:\(key)"] {
                try compare(
                    Array(payload[start...]), image, lossless: expected["lossless"] as? Bool ?? false,
                    "record \(number)")
            }
        }
        try rewrite(rec, index)
    }

    /// Decodes and compares with rows x columns (x channels); JPEG decoders may differ by two levels.
    private func compare(_ bytes: [UInt8], _ expected: Tensor, lossless: Bool, _ name: String) throws {
        let channels = expected.shape.rank == 2 ? 1 : expected.shape[2]
        let image = try ImageDecoder().decode(bytes, as: Image.Channels(rawValue: channels) ?? .rgb)
        guard image.height == expected.shape[0], image.width == expected.shape[1] else {
            return problems.append("\(name): \(image.height) x \(image.width), expected \(expected.shape)")
        }
        let tolerance = Tolerance(rtol: 0, atolRelative: 0, atol: lossless ? 0 : 2)
        if let problem = tolerance.mismatch(name, image.pixels.map(Float.init), expected.elements) {
            problems.append(problem)
        }
    }

    /// The valid rows of every batch of every epoch.
    func iterator() throws {
        guard let parameters = json["params"] as? [String: Any], let batches = json["batches"] as? [Int],
            let valid = json["valid"] as? [[Int]]
        else { return problems.append("case.json lacks params, batches or valid") }
        let source = "\(folder)/\(json["folder"] as? String ?? ".")"
        let loader = try ImageRecordIterParameters.loader(parameters, folder: source)
        let stored = try arrays()
        let tolerance = Tolerance(json: json)
        let size = loader.dataShape.count
        var data = [Float](repeating: 0, count: loader.batchSize * size)
        var labels = [Float](repeating: 0, count: loader.batchSize * loader.labelWidth)
        func next() throws -> Int {
            try data.withUnsafeMutableBufferPointer { data in
                try labels.withUnsafeMutableBufferPointer { try loader.next(into: BatchSlot(data: data, labels: $0)) }
            }
        }
        for epoch in batches.indices {
            try loader.start(epoch: epoch, atBatch: 0)
            for batch in 0..<batches[epoch] {
                let name = "epoch\(epoch):batch\(batch)"
                let rows = try next()
                demand(rows == valid[epoch][batch], "\(name): \(rows) valid rows, expected \(valid[epoch][batch])")
                let expected = (stored["\(name):data"]?.elements ?? []).prefix(rows * size)
                if let problem = tolerance.mismatch(name, Array(data.prefix(rows * size)), Array(expected)) {
                    problems.append(problem)
                }
                let count = rows * loader.labelWidth
                let expectedLabels = Array((stored["\(name):label"]?.elements ?? []).prefix(count))
                demand(
                    Array(labels.prefix(count)) == expectedLabels,
                    "\(name): labels \(labels), expected \(expectedLabels)")
            }
            let rest = try next()
            demand(rest == 0, "epoch \(epoch): more than \(batches[epoch]) batches")
        }
    }

    /// Lists as im2rec writes them; records packed with its options hold the same images.
    func im2rec() throws {
        let listOptions = CaseOptions(json["list_options"])
        let recordOptions = CaseOptions(json["record_options"])
        let root = "\(folder)/\(json["root"] as? String ?? "")"
        var list = try ImageList.scan(root, recursive: listOptions.has("--recursive")).list
        if !listOptions.has("--no-shuffle") { list = list.shuffledAsIm2rec() }
        let parts = list.split(
            chunks: Int(listOptions.number("--chunks") ?? 1), trainRatio: listOptions.number("--train-ratio") ?? 1,
            testRatio: listOptions.number("--test-ratio") ?? 0)
        let lists = json["lists"] as? [String: [String]] ?? [:]
        demand(lists.count == parts.count, "\(parts.count) lists, expected \(lists.count)")
        var packer = RecordPacker()
        packer.passThrough = recordOptions.has("--pass-through")
        packer.resize = Int(recordOptions.number("--resize") ?? 0)
        packer.centerCrop = recordOptions.has("--center-crop")
        let quality = Int(recordOptions.number("--quality") ?? 95)
        packer.encoding =
            recordOptions.words.contains(".png") ? .png(level: min(9, quality)) : .jpeg(quality: quality)
        let colors: [Double: Image.Channels] = [0: .gray, -1: .asStored]
        packer.channels = colors[recordOptions.number("--color") ?? 1] ?? .rgb
        let pixels = try arrays()
        try withTemporaryFolder { temporary in
            for (suffix, part) in parts {
                let stem = "data\(suffix)"
                demand(part.lines == lists["\(stem).lst"], "\(stem).lst: other lines")
                demand(try ImageList(file: "\(folder)/\(stem).lst") == part, "\(stem).lst: read differently")
                try part.write(to: "\(temporary)/\(stem).lst")
                try demandSameBytes("\(temporary)/\(stem).lst", "\(folder)/\(stem).lst")
                _ = try packer.pack(part, root: root, to: "\(temporary)/\(stem)")
                if packer.passThrough {
                    try demandSameBytes("\(temporary)/\(stem).rec", "\(folder)/\(stem).rec")
                    try demandSameBytes("\(temporary)/\(stem).idx", "\(folder)/\(stem).idx")
                }
                try comparePacked("\(temporary)/\(stem)", stem, pixels)
            }
        }
    }

    private func comparePacked(_ prefix: String, _ stem: String, _ pixels: [String: Tensor]) throws {
        let ours = try RecordFile("\(prefix).rec", index: "\(prefix).idx")
        let theirs = try RecordFile("\(folder)/\(stem).rec", index: "\(folder)/\(stem).idx")
        demand(ours.count == theirs.count, "\(stem): \(ours.count) records, expected \(theirs.count)")
        let expected = (json["records"] as? [String: [[String: Any]]])?[stem] ?? []
        for (number, record) in expected.enumerated().prefix(min(ours.count, theirs.count)) {
            let name = "\(stem), record \(number)"
            for file in [theirs, ours] {
                let payload = try file.read(number)
                var start = 0
                let header = try IRHeader(payload, imageStart: &start)
                demand(Int(header.id) == record["id"] as? Int, "\(name): id \(header.id)")
                demand(Double(header.labels[0]) == record["label"] as? Double, "\(name): label \(header.labels[0])")
                demand(file.entries[number].key == record["id"] as? Int, "\(name): key \(file.entries[number].key)")
                guard let image = pixels["\(stem):\(header.id)"] else { continue }
                try compare(
                    Array(payload[start...]), image, lossless: record["lossless"] as? Bool ?? false,
                    "\(name) of \(file === ours ? "ours" : "MXNet's")")
            }
        }
    }
}

/// Command-line options in an array of strings.
private struct CaseOptions {
    let words: [String]
    init(_ json: Any?) { words = json as? [String] ?? [] }
    func has(_ name: String) -> Bool { words.contains(name) }
    func number(_ name: String) -> Double? {
        words.firstIndex(of: name).flatMap { words.indices.contains($0 + 1) ? Double(words[$0 + 1]) : nil }
    }
}
