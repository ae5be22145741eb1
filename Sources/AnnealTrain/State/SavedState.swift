import AnnealCompiler
import AnnealCore
import AnnealGraph
import Foundation

/// The numbers of a run's state; its arrays follow them in the file. Random streams are functions of the seed and the
/// counts, and are not saved.
struct StateRecord: Codable {
    var seed: UInt64
    var updates: Int
    var batchSize: Int
    var accumulation: Int
    var frozen: [String]
    var multipliers: Multipliers
    var optimizer: OptimizerSnapshot
    var progress: FitProgress
    /// Other holders of states, even if they have none at the moment: averages, sums of gradients. Kinds of
    /// `StateName`.
    var holders: [String]
    /// Batches with gradients that wait in sums; nil in states of version 0.1, which store that as an array.
    var gathered: Int?
    /// The order of summation; nil in states of version 0.1.
    var sums: Int?
    /// What the bits depend on; nil in states of version 0.1.
    var machine: RunMachine?
    /// The loss scale of a run in float16; nil if it is constant or there is none.
    var scaler: LossScaler?

    /// Counts beyond these bounds would cause overflows.
    var isPossible: Bool {
        (0..<1 << 53).contains(updates) && progress.isPossible && (0..<max(1, accumulation)).contains(gathered ?? 0)
            && scaler?.isPossible ?? true
    }

    /// The array that holds the record. The others are `arg:` and `aux:` as in MXNet's files, and states (`StateName`).
    static let name = "record"
    /// This version's order of summation.
    static let sums = 2
}

/// What a state tells about its run before a trainer is created for it.
public struct SavedRun: Sendable {
    public let seed: UInt64
    public let progress: FitProgress
    /// Of the process that saved it; nil in states of version 0.1.
    public let machine: RunMachine?
    /// Whether this version sums in another order than the one that saved it: then the last bits differ from here on.
    public let addsOtherwise: Bool
}

/// Names in version 0.1, which kept one sum of gradients, and the number of its batches as an array.
enum FirstVersion {
    static let gathered = "gradients:batches"
    static func sum(_ parameter: String) -> String { "gradients:\(parameter)" }
}

/// A state file's contents.
struct SavedState {
    let record: StateRecord
    /// By their names.
    private let arrays: [String: StoredArray]

    init(_ path: String) throws {
        var record: StateRecord?, arrays: [String: StoredArray] = [:]
        for array in try StateFile.read(path) {
            if array.name == StateRecord.name {
                record = try? JSONDecoder().decode(StateRecord.self, from: Data(array.bytes))
            } else {
                arrays[array.name] = array
            }
        }
        guard let record, record.isPossible else {
            throw AnnealError(
                path, "has no record of a run", suggestion: "delete it to start again with a new optimizer",
                code: .damaged)
        }
        self.record = record
        self.arrays = arrays
    }

    /// With the names of a `.params` file.
    var parameters: [StoredArray] { arrays.values.filter { Self.isParameter($0.name) } }

    /// Names of arrays that are neither parameters nor statistics.
    var stateNames: Set<String> {
        Set(arrays.keys.filter { !Self.isParameter($0) && $0 != FirstVersion.gathered })
    }

    func array(_ name: String) -> StoredArray? { arrays[name] }

    private static func isParameter(_ name: String) -> Bool { name.hasPrefix("arg:") || name.hasPrefix("aux:") }

    /// Batches with gradients that wait in sums.
    func gathered() throws -> Int {
        if let gathered = record.gathered { return gathered }
        guard record.holders.contains(StateName.Kind.gradients.rawValue) else { return 0 }
        guard let count = arrays[FirstVersion.gathered]?.tensor().elements.first.flatMap({ Int(exactly: $0) }),
            (0..<record.accumulation).contains(count)
        else { throw AnnealError("accumulated gradients", "have no number of batches", code: .mismatch) }
        return count
    }
}
