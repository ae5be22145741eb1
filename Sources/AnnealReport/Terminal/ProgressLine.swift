import AnnealCore
import Foundation
import Synchronization

/// Progress of any long task: a line redrawn in place on a terminal, otherwise a plain line every few seconds.
///
/// ```
/// let progress = ProgressLine("Packing", total: 60_000, unit: "images")
/// for … { progress.advance(by: 1) }
/// progress.finish()
/// ```
/// Threads may share one.
public final class ProgressLine: Sendable {
    /// The content of the line, independent of its width.
    package struct State: Sendable {
        package var label: String
        package var unit: String
        package var done: Int
        package var total: Int?
        package var elapsed: Double
        /// Units a second, smoothed.
        package var rate: Double?

        package init(label: String, unit: String, done: Int, total: Int?, elapsed: Double, rate: Double?) {
            self.label = label
            self.unit = unit
            self.done = done
            self.total = total
            self.elapsed = elapsed
            self.rate = rate
        }
    }

    private struct Shared {
        var done = 0
        var rate = SmoothedRate()
        var measured: (done: Int, at: Double)
        var drawn: Double?
        var finished = false
        var live: LiveLine
    }

    private let label: String
    private let total: Int?
    private let unit: String
    private let output: any TextOutput
    private let plainInterval: Double
    private let clock: @Sendable () -> Double
    private let start: Double
    private let shared: Mutex<Shared>

    /// - Parameters:
    ///   - total: the amount of work; nil if unknown.
    ///   - unit: what is counted, in the plural.
    ///   - plainInterval: seconds between lines without a terminal.
    ///   - clock: a monotonic clock in seconds.
    public init(
        _ label: String, total: Int?, unit: String = "", output: any TextOutput = StandardStream.error,
        plainInterval: Double = 5, clock: @escaping @Sendable () -> Double = Clocks.monotonic
    ) {
        self.label = label.printable()
        self.total = total
        self.unit = unit
        self.output = output
        self.plainInterval = plainInterval
        self.clock = clock
        start = clock()
        shared = Mutex(Shared(measured: (0, start), live: LiveLine(output)))
    }

    /// A task that ends with an error leaves no line.
    deinit { shared.withLock { $0.live.clear() } }

    /// Adds to the amount of work done; any thread may call it.
    public func advance(by count: Int = 1) { shared.withLock { update(&$0, to: $0.done + count) } }

    public func update(done: Int) { shared.withLock { update(&$0, to: done) } }

    /// Prints a line of the caller's above the progress.
    public func print(_ line: String) {
        shared.withLock {
            $0.live.print(line.printable(keeping: ["\n", "\t"]))
            $0.drawn = nil
        }
    }

    /// Replaces the progress by a permanent line, `Packing: 60,000 images in 12s (4,900/s)`, or by `message`.
    public func finish(_ message: String? = nil) {
        shared.withLock { state in
            guard !state.finished else { return }
            state.finished = true
            state.live.print(message?.printable(keeping: ["\n", "\t"]) ?? Self.summary(describe(state, at: clock())))
        }
    }

    private func update(_ state: inout Shared, to done: Int) {
        state.done = done
        let now = clock()
        // The clock is read often, the screen updated rarely.
        let style = output.style
        let interval = style.isInteractive ? 0.1 : plainInterval
        guard !state.finished, now - (state.drawn ?? (style.isInteractive ? -.infinity : start)) >= interval else {
            return
        }
        state.rate.add(Double(done - state.measured.done), seconds: now - state.measured.at)
        state.measured = (done, now)
        state.drawn = now
        let line = Self.layout(describe(state, at: now))
        if style.isInteractive {
            state.live.show(line.line(style).text)
        } else {
            output.write(Self.plain(line) + "\n")
        }
    }

    private func describe(_ state: Shared, at now: Double) -> State {
        State(
            label: label, unit: unit, done: state.done, total: total, elapsed: now - start, rate: state.rate.perSecond)
    }
}

extension ProgressLine {
    package static func layout(_ state: State) -> LineLayout {
        var fields: [LineLayout.Field] = []
        let fraction = state.total.map { $0 > 0 ? Double(state.done) / Double($0) : 1 }
        if let fraction { fields.append(.init(percent(fraction), rank: 0)) }
        let count = state.total.map { "\(Readable.count(state.done))/\(Readable.count($0))" }
        let unit = state.unit.isEmpty ? "" : " \(state.unit)"
        fields.append(.init((count ?? Readable.count(state.done)) + unit, rank: 3, paint: .dim))
        if let rate = state.rate, rate > 0 {
            fields.append(.init("\(Readable.rate(rate))/s", rank: 2, paint: .cyan))
            if let total = state.total {
                let left = Double(max(0, total - state.done)) / rate
                fields.append(.init("ETA \(Readable.duration(left))", rank: 1, paint: .yellow))
            }
        } else {
            fields.append(.init(Readable.duration(state.elapsed), rank: 2, paint: .cyan))
        }
        return LineLayout(label: state.label, fraction: fraction, fields: fields)
    }

    /// The same without a bar and colours, for a log.
    package static func plain(_ layout: LineLayout) -> String {
        "\(layout.label): " + layout.fields.map { $0.text.trimmingCharacters(in: .whitespaces) }.joined(separator: ", ")
    }

    package static func summary(_ state: State) -> String {
        let unit = state.unit.isEmpty ? "" : " \(state.unit)"
        let rate = state.elapsed > 0 ? " (\(Readable.rate(Double(state.done) / state.elapsed))/s)" : ""
        return "\(state.label): \(Readable.count(state.done))\(unit) in \(Readable.duration(state.elapsed))\(rate)"
    }

    /// Always four columns, so that the following text does not move.
    package static func percent(_ fraction: Double) -> String {
        // 99.9 % is not done.
        let text = "\(Int((min(1, max(0, fraction)) * 100).rounded(.down)))%"
        return String(repeating: " ", count: 4 - text.count) + text
    }
}

/// A rate over about the last ten seconds: amounts and times decay at the same pace, so their ratio needs no bias
/// correction.
package struct SmoothedRate: Sendable {
    private var amount = 0.0
    private var seconds = 0.0
    private static let memory = 10.0

    package init() {}

    package mutating func add(_ amount: Double, seconds: Double) {
        guard seconds > 0 else { return }
        let fade = exp(-seconds / Self.memory)
        self.amount = self.amount * fade + amount
        self.seconds = self.seconds * fade + seconds
    }

    package var perSecond: Double? { seconds > 0 ? amount / seconds : nil }
}

/// Clocks for measuring durations.
public enum Clocks {
    /// Monotonic seconds, independent of the calendar.
    @Sendable public static func monotonic() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
