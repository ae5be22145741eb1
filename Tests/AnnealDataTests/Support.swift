import AnnealCore
import AnnealData
import Foundation
import Testing

/// The folder of real files and MXNet-made cases next to the package; nil if it does not exist.
func sharedFolder(_ name: String) -> String? {
    var roots = [ProcessInfo.processInfo.environment["ANNEAL_SHARED"]].compactMap { $0 }
    var folder = URL(fileURLWithPath: #filePath)
    while folder.path != "/" {
        folder.deleteLastPathComponent()
        roots.append(folder.path + "/shared")
    }
    let found = roots.map { "\($0)/\(name)" }.first { FileManager.default.fileExists(atPath: $0) }
    if found == nil { print("skipped: there is no shared/\(name)") }
    return found
}

/// A folder that is removed with the object.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "anneal-test-\(UUID().uuidString)"
        try Files.makeFolder(path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String, _ bytes: [UInt8] = []) throws -> String {
        let file = "\(path)/\(name)"
        try Files.writeAtomically(Data(bytes), to: file)
        return file
    }
}

/// An image whose pixels all differ from their neighbours.
func pattern(_ width: Int, _ height: Int, _ channels: Int = 3, seed: Int = 0) -> Image {
    Image(
        width: width, height: height, channels: channels,
        pixels: (0..<(width * height * channels)).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ seed &* 11 &+ $0 / 7) })
}

/// Records of PNG images, image i with label i mod 10 and id 1000 + i; `bad` ones contain no image.
func writeRecords(_ path: String, count: Int, width: Int = 12, height: Int = 10, bad: Set<Int> = []) throws {
    let writer = try RecordWriter(path, index: path.replacingOccurrences(of: ".rec", with: ".idx"))
    for i in 0..<count {
        let image = bad.contains(i) ? [1, 2, 3] : try pattern(width, height, seed: i).encoded(as: .png(level: 1))
        try writer.write(IRHeader(label: Float(i % 10), id: UInt64(1000 + i)).packed(image))
    }
    try writer.finish()
}

struct Batch: Equatable {
    var valid: Int
    var data: [Float]
    var labels: [Float]
}

/// The batches of an epoch from one on.
func batches(_ source: some BatchSource, epoch: Int = 0, from batch: Int = 0) throws -> [Batch] {
    try source.start(epoch: epoch, atBatch: batch)
    var all: [Batch] = []
    while let next = try nextBatch(source) { all.append(next) }
    return all
}

func nextBatch(_ source: some BatchSource) throws -> Batch? {
    var data = [Float](repeating: -1, count: source.batchSize * source.dataShape.count)
    var labels = [Float](repeating: -1, count: source.batchSize * source.labelWidth)
    let valid = try data.withUnsafeMutableBufferPointer { data in
        try labels.withUnsafeMutableBufferPointer { try source.next(into: BatchSlot(data: data, labels: $0)) }
    }
    return valid == 0 ? nil : Batch(valid: valid, data: data, labels: labels)
}

/// The text of the error that `body` throws; records an issue if it throws none or one of another type.
func message(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> String {
    do {
        try body()
        Issue.record("no error", sourceLocation: sourceLocation)
        return ""
    } catch let error as AnnealError {
        return "\(error)"
    } catch {
        Issue.record("another error: \(error)", sourceLocation: sourceLocation)
        return "\(error)"
    }
}
