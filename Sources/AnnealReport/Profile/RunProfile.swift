import AnnealCompiler
import AnnealCore
import AnnealTrain
import Foundation

/// Where the time of a run's steps goes, as stored in `profile.json`: measured in a few steps near the run's beginning.
public struct RunProfile: Codable, Sendable, Equatable {
    /// The time per step of all operations of one kind, or of one kind in one layer.
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
    /// The longest entries of each list.
    private static let most = 30

    /// The number of steps that were measured.
    public var steps: Int
    /// Per step, including waiting for data and metrics.
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

    /// nil if operations were not timed one by one, as on an accelerator.
    package init?(_ spans: [Timeline.Span]) {
        let whole = Set(spans.filter { $0.operation.phase == .forward }.map(\.step))
        guard !whole.isEmpty else { return nil }
        let spans = spans.filter { whole.contains($0.step) }
        // Measuring the machine's peaks takes a while, and the page does not need them.
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

    /// Read from a run's folder; nil if the file is missing or incomplete.
    public static func read(inFolder folder: String) -> RunProfile? {
        (try? Files.read(Files.path(folder, name))).flatMap { try? JSONDecoder().decode(RunProfile.self, from: $0) }
    }
}
