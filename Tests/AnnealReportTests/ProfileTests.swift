import AnnealCore
import AnnealCompiler
import AnnealReport
import AnnealTrain
import Foundation
import Testing

/// Tables and traces of made-up steps, whose numbers are known.
struct ProfileTests {
    /// Two steps: data, two convolutions and a batch norm forward, the second convolution backward, in the middle of
    /// which a parameter is updated, and the other updates. Times are odd, so that rounding shows.
    static let spans: [Timeline.Span] = {
        func cost(
            _ layer: String, _ kind: String, _ phase: OperationCost.Phase, _ flops: Double = 0, _ bytes: Double = 0
        )
            -> OperationCost
        {
            OperationCost(layer: layer, kind: kind, phase: phase, flops: flops, bytes: bytes)
        }
        let operations = [
            cost("data", "waiting for data", .data), cost("a", "Convolution forward", .forward, 2e6, 1e5),
            cost("n", "BatchNorm forward", .forward, 1e3, 1e5), cost("b", "Convolution forward", .forward, 4e6, 1e5),
            cost("b", "Convolution backward weights", .backward, 4e6, 1e5),
            cost("parameters", "update", .update, 0, 1e4),
            cost("b", "Convolution backward data", .backward, 4e6, 1e5), cost("parameters", "update", .update, 0, 2e4),
        ]
        var now = Duration.nanoseconds(1234)
        return (0..<2).flatMap { step in
            operations.enumerated().map { index, operation in
                let duration = Duration.nanoseconds(10_007 * (index + 1) + step)
                defer { now += duration + .nanoseconds(index == 3 ? 0 : 333) }
                return Timeline.Span(operation, step: step, begin: now, duration: duration)
            }
        }
    }()
    static let roofline = Roofline(flops: 100e9, bandwidth: 10e9)

    @Test(arguments: [ProfileTable.Grouping.kind, .layer, .shape]) func rowsAddUp(_ grouping: ProfileTable.Grouping) {
        let table = ProfileTable(Self.spans, by: grouping, roofline: Self.roofline)
        #expect(table.steps == 2)
        #expect(table.total.calls == 16)
        #expect(table.rows.reduce(0) { $0 + $1.calls } == 16)
        #expect(abs(table.total.seconds - (10_007.0 * 36 * 2 + 8) * 1e-9) < 1e-12)
        for part in [\ProfileTable.Row.seconds, \.flops, \.bytes, \.leastSeconds] {
            let sum = table.rows.reduce(0) { $0 + $1[keyPath: part] }
            #expect(abs(sum - table.total[keyPath: part]) <= 1e-12 * sum)
        }
        #expect(table.total.flops == 2 * 14.001e6)
        #expect(zip(table.rows, table.rows.dropFirst()).allSatisfy { $0.seconds >= $1.seconds })
    }

    @Test func groups() throws {
        let kinds = ProfileTable(Self.spans, by: .kind, roofline: Self.roofline)
        let forward = try #require(kinds.rows.first { $0.name == "Convolution forward" })
        #expect(forward.calls == 4 && forward.flops == 12e6 && forward.bytes == 4e5)
        // 2 MFLOP need 20 µs; 4 MFLOP 40: the traffic's 10 µs overlap with both.
        #expect(abs(forward.leastSeconds - 2 * 60e-6) < 1e-15)
        let layers = ProfileTable(Self.spans, by: .layer, roofline: Self.roofline)
        #expect(layers.rows.filter { $0.name.hasSuffix("Convolution forward") }.count == 2)
    }

    /// One step's calls and milliseconds, its rates and its fraction of the roofline; empty if nothing is computed.
    /// What a run's page shows: means of whole steps, without those whose forward pass was not recorded.
    @Test func ofARun() throws {
        var spans = Self.spans
        spans.append(
            Timeline.Span(
                OperationCost(layer: "metrics", kind: "metrics", phase: .metrics), step: 2, begin: .seconds(1),
                duration: .seconds(1)))
        let profile = try #require(RunProfile(spans))
        // (1 + ... + 8) * 10.007 us, and half a nanosecond for each of eight.
        #expect(profile.steps == 2 && abs(profile.seconds - (360.252e-6 + 4e-9)) < 1e-12)
        let update = try #require(profile.kinds.first { $0.name == "update" })
        #expect(update.calls == 2 && abs(update.seconds - (140.098e-6 + 1e-9)) < 1e-12 && update.flops == 0)
        #expect(profile.kinds.first?.name == "update" && profile.kinds.contains { $0.name == "waiting for data" })
        #expect(!profile.layers.contains { $0.name.contains("data  waiting") })
        let first = try #require(profile.layers.first { $0.name == "a  Convolution forward" })
        #expect(first.calls == 1 && first.flops == 2e6)

        let folder = try TemporaryFolder(), run = try RunFolder.open(folder.file("run"), occupied: .refuse)
        try profile.write(to: run)
        #expect(RunProfile.read(inFolder: run.path) == profile)
        // An accelerator runs a step as one program.
        #expect(RunProfile(spans.filter { $0.operation.phase == .data }) == nil)
    }

    @Test func text() throws {
        let operation = OperationCost(layer: "c", kind: "Convolution forward", phase: .forward, flops: 3e9, bytes: 2e8)
        let wait = OperationCost(layer: "data", kind: "waiting for data", phase: .data)
        let spans = (0..<2).flatMap { step in
            [
                Timeline.Span(wait, step: step, begin: .seconds(step), duration: .milliseconds(20)),
                Timeline.Span(operation, step: step, begin: .seconds(step), duration: .milliseconds(60)),
            ]
        }
        let lines = ProfileTable(spans, by: .kind, roofline: Self.roofline).text.split(separator: "\n")
        #expect(
            lines == [
                "  calls          ms    share    GFLOP/s      GB/s   roofline  operation",
                "      1      60.000   75.0 %       50.0       3.3     50.0 %  Convolution forward",
                "      1      20.000   25.0 %          -         -          -  waiting for data",
                "      2      80.000  100.0 %       37.5       2.5     37.5 %  all",
            ])
    }

    private struct Event: Decodable {
        var ph: String
        var name: String
        var cat: String?
        var tid: Int
        var ts: Double?
        var dur: Double?
    }
    private struct TraceFile: Decodable { var traceEvents: [Event] }

    @Test func traceIsValidAndNests() throws {
        let folder = try TemporaryFolder()
        try Trace.write(Self.spans, to: folder.file("trace.json"))
        let file = try JSONDecoder().decode(TraceFile.self, from: Data(try folder.text("trace.json").utf8))
        let names = file.traceEvents.filter { $0.ph == "M" }.map(\.name)
        #expect(names.allSatisfy { $0 == "thread_name" } && names.count == 1 + 4)
        let complete = file.traceEvents.filter { $0.ph == "X" }
        #expect(complete.count == Self.spans.count + 2 + 2 * 6)

        // In each lane an event is nested in the previous one or begins after its end. Times are whole nanoseconds.
        let byLane = Dictionary(grouping: complete, by: \.tid)
        for events in byLane.values {
            let times = try events.map { event -> (begin: Int, end: Int) in
                let begin = try #require(event.ts), duration = try #require(event.dur)
                #expect(duration > 0)
                return (Int((begin * 1000).rounded()), Int((begin * 1000).rounded()) + Int((duration * 1000).rounded()))
            }.sorted { ($0.begin, $1.end) < ($1.begin, $0.end) }
            var open: [(begin: Int, end: Int)] = []
            for time in times {
                while let last = open.last, last.end <= time.begin { open.removeLast() }
                if let last = open.last { #expect(time.end <= last.end) }
                open.append(time)
            }
        }
        // Steps contain their phases; the update in the middle splits the backward pass.
        let steps = try #require(byLane[0])
        #expect(steps.filter { $0.cat == "step" }.map(\.name) == ["step 0", "step 1"])
        #expect(
            steps.filter { $0.cat == "phase" }.map(\.name).prefix(6) == [
                "data", "forward", "backward", "update", "backward", "update",
            ])
    }

    /// The trace is written when its steps have ended, and no later step is included.
    @Test func writerWritesOnce() throws {
        let folder = try TemporaryFolder()
        let timeline = Timeline(steps: 1..<3)
        let writer = TimelineWriter(timeline) { try Trace.write($0, to: folder.file("t.json")) }
        for step in 0..<5 {
            timeline.record(OperationCost(layer: "l", kind: "k", phase: .forward)) {}
            timeline.endStep()
            try writer.receive(.batch(Sample.batch(0, step)))
            #expect(Files.exists(folder.file("t.json")) == (step >= 2))
        }
        #expect(timeline.spans.map(\.step) == [1, 2])
        try writer.receive(.finished(RunEnd(epochs: 1, seconds: 1, interrupted: false)))
        let file = try JSONDecoder().decode(TraceFile.self, from: Data(try folder.text("t.json").utf8))
        #expect(file.traceEvents.filter { $0.cat == "k" }.count == 2)
    }
}
