import AnnealCore
import AnnealTrain
import Foundation

/// A run's progress, as stored in its `status.json`: written once a second while it trains, and a last time at its end.
/// `anneal runs`, `anneal watch` and the pages read it in other processes.
public struct RunStatus: Codable, Sendable, Equatable {
    /// Whether a run is going on, and how it ended.
    public enum State: String, Codable, Sendable, CaseIterable {
        case running, finished
        /// Stopped by a signal, or killed: it can be resumed.
        case interrupted
        /// Ended with an error.
        case failed
    }

    /// The best validation so far.
    public struct Best: Codable, Sendable, Equatable {
        public var metric: String
        public var value: Double
        public var checkpoint: Int

        public init(metric: String, value: Double, checkpoint: Int) {
            self.metric = metric
            self.value = value
            self.checkpoint = checkpoint
        }
    }

    /// A metric; it has no value if it is not finite.
    public struct Value: Codable, Sendable, Equatable {
        public var name: String
        public var value: Double?

        init(_ metric: MetricValue) {
            name = metric.name
            value = metric.value.isFinite ? metric.value : nil
        }
    }

    public var state: State
    public var process: ProcessIdentity
    /// When the status was written.
    public var updated: Date
    /// Completed epochs.
    public var epochs: Int
    public var endEpoch: Int
    /// Completed batches of the current epoch, or of its validation.
    public var batch = 0
    public var batches = 0
    public var isValidating = false
    /// Seconds of training and validation, over all parts of a resumed run.
    public var seconds = 0.0
    public var samplesPerSecond: Double?
    public var learningRate: Double?
    /// Estimated seconds to the run's end.
    public var secondsLeft: Double?
    /// Resident memory of the process in bytes.
    public var memoryBytes: Int?
    /// Averages of the current epoch so far.
    public var metrics: [Value] = []
    public var best: Best?
    /// The error of a failed run.
    public var error: String?

    enum CodingKeys: String, CodingKey {
        case state, process, updated, epochs, batch, batches, seconds, metrics, best, error
        case endEpoch = "end_epoch"
        case isValidating = "validating"
        case samplesPerSecond = "samples_per_second"
        case learningRate = "learning_rate"
        case secondsLeft = "seconds_left"
        case memoryBytes = "memory_bytes"
    }

    public init(state: State, process: ProcessIdentity = .current, updated: Date = Date(), epochs: Int, endEpoch: Int) {
        self.state = state
        self.process = process
        self.updated = updated
        self.epochs = epochs
        self.endEpoch = endEpoch
    }

    /// The current state: a run without its process was interrupted, whatever it wrote last.
    /// - Parameter now: a run on another machine counts as gone if it has not written for two minutes.
    public func current(at now: Date = Date()) -> State {
        guard state == .running else { return state }
        return process.isAlive ?? (now.timeIntervalSince(updated) < 120) ? .running : .interrupted
    }

    /// Reads a `status.json`; nil if it is missing or incomplete.
    public static func read(_ path: String) -> RunStatus? {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .secondsSince1970
        return (try? Files.read(path)).flatMap { try? decoder.decode(RunStatus.self, from: $0) }
    }

    package func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .secondsSince1970
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

/// A process by its id and start time, since ids are reused.
public struct ProcessIdentity: Codable, Sendable, Equatable {
    public var host: String
    public var number: Int
    /// Clock ticks from the machine's start to the process's; nil if the system does not tell.
    public var started: Int?

    public init(host: String, number: Int, started: Int?) {
        self.host = host
        self.number = number
        self.started = started
    }

    /// This process.
    public static var current: ProcessIdentity {
        let number = Int(getpid())
        return ProcessIdentity(host: hostName, number: number, started: start(of: number))
    }

    /// nil: it is on another machine.
    public var isAlive: Bool? {
        guard host == Self.hostName else { return nil }
        guard let now = Self.start(of: number) else { return false }
        return started == nil || started == now
    }

    private static var hostName: String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "" }
        return FilePath(bytes: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))).text
    }

    /// The 22nd field of `/proc/PID/stat`; the second, the program's name, may contain spaces.
    private static func start(of number: Int) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        // A zombie has ended.
        guard fields.count > 19, fields[0] != "Z" else { return nil }
        return Int(fields[19])
    }
}

/// The memory use of a process.
package enum ProcessMemory {
    /// Resident bytes of this process; nil if the system does not tell.
    package static var resident: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ")
        return fields.count > 1 ? Int(fields[1]).map { $0 * sysconf(Int32(_SC_PAGESIZE)) } : nil
    }
}
