import AnnealCompiler
import AnnealCore
import AnnealTrain
import Foundation

/// Where the time of a run's steps goes, as `profile.json` keeps it: measured in a few steps near the run's beginning.
public struct RunProfile: Codable, Sendable, Equatable {
    /// What all operations of one kind, or of one kind in one layer, take in a step.
    public struct Row: Codable, Sendable, Equatable {
        public var name: String
        public var calls: Double
        public var seconds: Double
        /// Of convolutions and matrix products.
        public var flops: Double

        public init(name: String, calls: Double, seconds: Double, flops: Double) {
            self.name = name
            self.calls = calls
            self.seconds = seconds
            self.flops = flops
        }
    }

    static let name = "profile.json"
    /// Of each list the longest.
    private static let most = 30

    /// How many were measured.
    public var steps: Int
    /// Of a step, waiting for data and metrics included.
    public var seconds: Double
    /// The longest first.
    public var kinds: [Row]
    public var layers: [Row]

    public init(steps: Int, seconds: Double, kinds: [Row], layers: [Row]) {
        self.steps = steps
        self.seconds = seconds
        self.kinds = kinds
        self.layers = layers
    }

    /// nil if no operations were timed one by one, as on an accelerator.
    package init?(_ spans: [Timeline.Span]) {
        let whole = Set(spans.filter { $0.operation.phase == .forward }.map(\.step))
        guard !whole.isEmpty else { return nil }
        let spans = spans.filter { whole.contains($0.step) }
        // The machine's peaks take a while to measure, and the page does without.
        let unlimited = Roofline(flops: .infinity, bandwidth: .infinity)
        let kinds = ProfileTable(spans, by: .kind, roofline: unlimited)
        let layers = ProfileTable(
            spans.filter { ![.data, .metrics].contains($0.operation.phase) }, by: .layer, roofline: unlimited)
        let steps = Double(whole.count)
        func rows(_ table: ProfileTable) -> [Row] {
            table.rows.prefix(Self.most).map {
                Row(
                    name: $0.name, calls: Double($0.calls) / steps, seconds: $0.seconds / steps,
                    flops: $0.flops / steps)
            }
        }
        self.init(
            steps: whole.count, seconds: kinds.total.seconds / steps, kinds: rows(kinds), layers: rows(layers))
    }

    public func write(to folder: RunFolder) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try Files.writeAtomically(try encoder.encode(self), to: folder.file(Self.name))
    }

    /// That of a run's folder; nil if it is not there or not whole.
    public static func read(inFolder folder: String) -> RunProfile? {
        (try? Files.read(Files.path(folder, name))).flatMap { try? JSONDecoder().decode(RunProfile.self, from: $0) }
    }
}
