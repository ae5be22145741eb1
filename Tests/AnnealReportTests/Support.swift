import AnnealReport
import AnnealTrain
import Foundation
import Synchronization

/// A folder that is removed with the test.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "anneal-report-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func text(_ name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }
}

/// Collects the output.
final class CollectedOutput: TextOutput {
    private let collected = Mutex("")
    private let current: Mutex<TerminalStyle>

    init(_ style: TerminalStyle) { current = Mutex(style) }

    func write(_ text: String) { collected.withLock { $0 += text } }
    var text: String { collected.withLock { $0 } }
    var style: TerminalStyle {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }

    /// The output from now on.
    func reset() { collected.withLock { $0 = "" } }
}

extension TerminalStyle {
    static let log = TerminalStyle(isInteractive: false, width: 80, colour: false, unicode: true)
    static func plain(_ width: Int) -> TerminalStyle {
        TerminalStyle(isInteractive: true, width: width, colour: false, unicode: true)
    }
}

/// A clock that the test advances.
final class ManualClock: Sendable {
    private let seconds = Mutex(0.0)
    var now: Double {
        get { seconds.withLock { $0 } }
        set { seconds.withLock { $0 = newValue } }
    }
}

enum Sample {
    static func start(first: Int = 0, end: Int = 10, validation: Int? = 1000) -> FitEvent {
        .started(
            RunStart(
                position: FitPosition(epoch: first), endEpoch: end, batchSize: 100, trainingCount: 6000,
                validationCount: validation,
                stepsPerEpoch: 60))
    }

    static let finished = FitEvent.finished(RunEnd(epochs: 1, seconds: 1, interrupted: false))

    static func batch(_ epoch: Int, _ batch: Int, samples: Int = 100, seconds: Double = 0.5, accuracy: Double = 0.5)
        -> BatchReport
    {
        BatchReport(
            epoch: epoch, batch: batch, batches: 60, samples: samples, seconds: seconds, learningRate: 0.05,
            metrics: [MetricValue(name: "accuracy", value: accuracy)])
    }

    static func epoch(
        _ epoch: Int, training: [(String, Double)] = [("accuracy", 0.471), ("cross-entropy", 1.441)],
        validation: [(String, Double)] = [("accuracy", 0.5557), ("cross-entropy", 1.251)], rate: Double = 0.05
    ) -> EpochReport {
        EpochReport(
            epoch: epoch, training: training.map(MetricValue.init), validation: validation.map(MetricValue.init),
            learningRate: rate, seconds: 12.345, validationSeconds: 1.5, samplesPerSecond: 486.25)
    }

    /// A run that learns: epochs whose curves look realistic.
    static func run(_ count: Int, hole: Range<Int> = 0..<0, validation: Bool = true) -> [EpochReport] {
        (0..<count).map { index in
            let part = Double(index) / Double(max(1, count))
            let rate = part < 0.5 ? 0.1 : part < 0.75 ? 0.01 : 0.001
            let wave = sin(Double(index) * 12.9898) * 0.5 + sin(Double(index) * 78.233) * 0.5
            let noise = wave * (part < 0.5 ? 0.03 : 0.004)
            let learned = 1 - exp(-Double(index + 1) / max(1.5, Double(count) / 12))
            let step = part < 0.5 ? 0.0 : part < 0.75 ? 0.05 : 0.065
            let training = 0.4 + 0.47 * learned + step * 1.5 + noise / 3
            let tested = 0.42 + 0.42 * learned + step + noise
            let isHole = hole.contains(index)
            return epoch(
                index,
                training: [
                    ("accuracy", isHole ? .nan : training), ("cross-entropy", isHole ? .nan : -log(training) * 1.8),
                ],
                validation: validation
                    ? [("accuracy", tested), ("cross-entropy", isHole ? .infinity : -log(tested) * 2)] : [],
                rate: rate)
        }
    }
}
