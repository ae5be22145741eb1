import Anneal
import Foundation

/// The results of compiling a network for a GPU.
struct CompileRecord: Codable {
    var gpu: String
    var mode: CompileRun.Mode
    var dtype: String
    var network: String
    var batch: Int
    /// SHA-256 of the program: a changed program is compiled again.
    var program: String
    /// Instructions that run on the device.
    var launches: Int
    /// Calls of cuDNN's convolutions, and those of them in float32.
    var convolutions: Int
    var float32Convolutions: Int
    /// Parameters that are transposed in each step, and how many must be: weights of grouped convolutions, whose
    /// gradients XLA computes with transposed weights.
    var transposed: Int
    var grouped: Int
    var peakMB: Int
    /// Seconds of a processor core.
    var seconds: Double

    func isOfSameRow(as other: CompileRecord) -> Bool {
        (gpu, dtype, network) == (other.gpu, other.dtype, other.network) && mode == other.mode
    }
}

/// A file of records, one line of JSON each.
struct CompileResults {
    private let path: String
    private var records: [CompileRecord] = []

    init(_ path: String) throws {
        self.path = path
        guard Files.exists(path) else { return }
        let lines = try Files.read(path).split(separator: UInt8(ascii: "\n"))
        do {
            records = try lines.map { try JSONDecoder().decode(CompileRecord.self, from: $0) }
        } catch {
            throw AnnealError(
                path, "holds what is no record of this version: \(error)", suggestion: "remove the file",
                code: .unsupported)
        }
    }

    func record(gpu: String, mode: CompileRun.Mode, dtype: String, network: String) -> CompileRecord? {
        records.first { ($0.gpu, $0.dtype, $0.network) == (gpu, dtype, network) && $0.mode == mode }
    }

    /// Writes a record in place of an older one for the same network, or at the end.
    mutating func keep(_ record: CompileRecord) throws {
        if let place = records.firstIndex(where: record.isOfSameRow) {
            records[place] = record
        } else {
            records.append(record)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let lines = try records.map { try encoder.encode($0) + Data("\n".utf8) }
        try Files.writeAtomically(Data(lines.joined()), to: path)
    }
}
