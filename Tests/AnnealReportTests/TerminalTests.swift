import AnnealReport
import AnnealTrain
import Foundation
import Testing

struct TerminalTests {
    private func state() -> TerminalState {
        var state = TerminalState(
            start: RunStart(
                position: FitPosition(epoch: 0), endEpoch: 10, batchSize: 100, trainingCount: 6000,
                validationCount: 1000,
                stepsPerEpoch: 60))
        for batch in 0..<30 {
            var report = Sample.batch(0, batch, seconds: batch == 0 ? 9 : 0.1, accuracy: 0.9123)
            report.metrics.append(MetricValue(name: "cross-entropy", value: 0.2871))
            state.update(report)
        }
        return state
    }

    @Test(arguments: [
        (
            140,
            "Epoch 1/10  ━━━━━━━━━━━━━━━━────────────────   50%  30/60  1,000/s  acc 0.9123  ce 0.2871  lr 0.05  "
                + "epoch 3s  ETA 1m 00s"
        ),
        (100, "Epoch 1/10  ━━━━━╸─────   50%  30/60  1,000/s  acc 0.9123  ce 0.2871  lr 0.05  epoch 3s  ETA 1m 00s"),
        (99, "Epoch 1/10  ━━━━━─────   50%  30/60  1,000/s  acc 0.9123  ce 0.2871  lr 0.05  epoch 3s  ETA 1m 00s"),
        (80, "Epoch 1/10  ━━━━━━━━━─────────   50%  1,000/s  acc 0.9123  epoch 3s  ETA 1m 00s"),
        (60, "Epoch 1/10  ━━━━────   50%  1,000/s  acc 0.9123  ETA 1m 00s"),
        (40, "Epoch 1/10  ━━━━╸────   50%  ETA 1m 00s"),
        (30, "Epoch 1/10   50%  ETA 1m 00s"),
        (20, "Epoch 1/10   50%"),
        (12, "Epoch 1/10"),
        (8, "Epoch 1"),
        (1, "E"),
    ])
    func theLineFitsItsTerminal(_ width: Int, _ expected: String) {
        let (text, columns) = state().layout().line(.plain(width))
        #expect(columns == text.count)
        #expect(text.count <= max(1, width - 1))
        #expect(text == expected)
    }

    @Test func everyWidthFits() {
        let layout = state().layout()
        for width in 1...300 {
            for unicode in [false, true] {
                let style = TerminalStyle(isInteractive: true, width: width, colour: false, unicode: unicode)
                let (text, columns) = layout.line(style)
                #expect(text.count == columns && columns <= max(1, width - 1))
                #expect(unicode || text.allSatisfy(\.isASCII))
                // Colour changes only colours.
                let coloured = TerminalStyle(isInteractive: true, width: width, colour: true, unicode: false)
                let bare = layout.line(coloured).text.replacing(/\u{1B}\[\d+m/, with: "")
                if !unicode { #expect(bare == text) }
            }
        }
    }

    @Test func bars() {
        let ascii = TerminalStyle(isInteractive: true, width: 80, colour: false, unicode: false)
        #expect(LineLayout.bar(0, width: 10, ascii) == "[--------]")
        #expect(LineLayout.bar(0.5, width: 10, ascii) == "[===>----]")
        #expect(LineLayout.bar(1, width: 10, ascii) == "[========]")
        #expect(LineLayout.bar(.nan, width: 4, .plain(80)) == "────")
        #expect(LineLayout.bar(0.125, width: 4, .plain(80)) == "╸───")
        #expect(LineLayout.bar(7, width: 4, .plain(80)) == "━━━━")
    }

    @Test func timeLeft() throws {
        var state = state()
        // The slow first update is left out: 1000 images a second, half of 6000 left, 9 epochs and 10 validations to go.
        let left = try #require(state.secondsLeft())
        #expect(abs((left.epoch ?? 0) - 3) < 1e-9)
        #expect(abs(left.run - (3 + 1.0 / 3 + 9 * (6 + 1.0 / 3))) < 1e-9)
        _ = state.end(Sample.epoch(0), .plain(80))
        state.validating(epoch: 1, batch: 4, batches: 10)
        let next = try #require(state.secondsLeft())
        #expect(next.epoch == nil)
        #expect(abs(next.run - (0.75 + 8 * (12.345 + 1.5))) < 1e-9)
        #expect(TerminalState(start: state.start).secondsLeft() == nil)
    }

    /// They would be mistaken for the validation's.
    @Test func validationShowsNoMetricsOfTheTraining() {
        var line = state()
        #expect(line.layout().fields.contains(where: { $0.text.hasPrefix("acc") }))
        line.validating(epoch: 0, batch: 4, batches: 10)
        #expect(!line.layout().fields.contains(where: { $0.text.hasPrefix("acc") }))
    }

    @Test func theLineOfAnEpochStays() {
        var state = state()
        var copy = state
        #expect(
            copy.end(Sample.epoch(0), .plain(130))
                == "Epoch  1/10  train accuracy 0.4710 cross-entropy 1.4410  "
                + "validation accuracy 0.5557 cross-entropy 1.2510  lr 0.05  14s  486/s")
        #expect(
            state.end(Sample.epoch(0), .plain(87))
                == "Epoch  1/10  train acc 0.4710 ce 1.4410  val acc 0.5557 ce 1.2510  lr 0.05  14s  486/s")
        let better = Sample.epoch(1, training: [], validation: [("accuracy", 0.6)])
        #expect(state.end(better, .plain(80)) == "Epoch  2/10  validation accuracy 0.6000 ★  lr 0.05  14s  486/s")
        let worse = Sample.epoch(2, training: [], validation: [("accuracy", 0.59)])
        #expect(state.end(worse, .plain(80)) == "Epoch  3/10  validation accuracy 0.5900  lr 0.05  14s  486/s")
    }

    /// The least important parts go first; the epoch's number and the validation accuracy stay longest.
    @Test(arguments: [
        (87, "Epoch  2/10  train acc 0.4710 ce 1.4410  val acc 0.6000 ce 1.2000 ★  lr 0.05  14s"),
        (80, "Epoch  2/10  train acc 0.4710 ce 1.4410  val acc 0.6000 ce 1.2000 ★  lr 0.05"),
        (75, "Epoch  2/10  train acc 0.4710 ce 1.4410  val acc 0.6000 ce 1.2000 ★"),
        (60, "Epoch  2/10  train acc 0.4710  val acc 0.6000 ce 1.2000 ★"),
        (50, "Epoch  2/10  val acc 0.6000 ce 1.2000 ★"),
        (35, "Epoch  2/10  val acc 0.6000 ★"),
        (20, "Epoch  2/10"),
    ]) func theLineOfAnEpochFits(_ width: Int, _ expected: String) {
        var state = state()
        _ = state.end(Sample.epoch(0), .plain(80))
        let report = Sample.epoch(1, validation: [("accuracy", 0.6), ("cross-entropy", 1.2)])
        #expect(state.end(report, .plain(width)) == expected)
    }

    @Test func everyLineOfAnEpochFitsEightyColumns() {
        let names = ["accuracy", "top_k_accuracy_5", "cross-entropy", "nll-loss"]
        for count in 0...4 {
            for digits in [1, 12_345, 999_999] {
                var state = TerminalState(
                    start: RunStart(
                        position: FitPosition(epoch: 0), endEpoch: digits, batchSize: 100, trainingCount: 6000,
                        validationCount: 1000, stepsPerEpoch: 60))
                let metrics = names.prefix(count).map { ($0, 123.4567) }
                for rate in [0.05, 1.234e-05] {
                    let report = Sample.epoch(0, training: metrics, validation: metrics, rate: rate)
                    #expect(state.end(report, .plain(80)).count < 80)
                }
            }
        }
    }

    /// Terminals cut a line that no longer fits, or wrap it.
    @Test(arguments: [false, true]) func aResizeLeavesNoStaleLine(_ breaks: Bool) {
        let output = CollectedOutput(.plain(80))
        var screen = Screen(width: 80)
        var live = LiveLine(output)
        func draw(_ body: (inout LiveLine) -> Void) {
            output.reset()
            body(&live)
            screen.write(output.text)
        }
        draw { $0.print("permanent") }
        draw { $0.show(String(repeating: "a", count: 79)) }
        screen.resize(to: 30, breaks: breaks)
        draw { $0.show("short") }
        #expect(screen.rows == ["permanent", "short"])
        screen.resize(to: 100, breaks: breaks)
        draw { $0.show(String(repeating: "b", count: 99)) }
        screen.resize(to: 20, breaks: breaks)
        draw { $0.print("second") }
        #expect(screen.rows == ["permanent", "second"])
    }

    @Test func workThatFailsLeavesNoLine() {
        let screen = CollectedOutput(.plain(80)), clock = ManualClock()
        do {
            let line = ProgressLine("Packing", total: 10, output: screen, clock: { clock.now })
            line.advance(by: 1)
        }
        #expect(screen.text.hasSuffix("\r\u{1B}[J"))
    }

    @Test func notesStandAboveTheLine() {
        let output = CollectedOutput(.plain(60))
        let clock = ManualClock()
        let progress = TerminalProgress(output: output, clock: { clock.now })
        progress.receive(Sample.start())
        clock.now = 1
        progress.receive(.batch(Sample.batch(0, 0)))
        #expect(output.text.hasPrefix("\rEpoch 1/10") && output.text.hasSuffix("\u{1B}[J\r"))
        output.reset()
        clock.now = 1.05
        progress.receive(.batch(Sample.batch(0, 1)))
        #expect(output.text.isEmpty)
        progress.receive(.warning("look here"))
        #expect(output.text == "\r\u{1B}[Jwarning: look here\n")
        output.reset()
        progress.receive(.batch(Sample.batch(0, 59)))
        #expect(output.text.contains("100%"))
        output.reset()
        progress.clear()
        #expect(output.text == "\r\u{1B}[J")
        output.reset()
        progress.receive(.finished(RunEnd(epochs: 1, seconds: 75, interrupted: true)))
        #expect(output.text == "Interrupted after 1 epoch, 1m 15s\n")
    }

    @Test func silentWithoutATerminal() {
        let output = CollectedOutput(.log)
        let progress = TerminalProgress(output: output)
        progress.receive(Sample.start())
        progress.receive(.batch(Sample.batch(0, 59)))
        progress.receive(.epoch(Sample.epoch(0)))
        #expect(output.text.isEmpty)
    }

    @Test func otherLongWork() {
        let clock = ManualClock()
        let log = CollectedOutput(.log)
        let plain = ProgressLine("Packing", total: 60_000, unit: "images", output: log, clock: { clock.now })
        for step in 1...12 {
            clock.now = Double(step)
            plain.advance(by: 5000)
        }
        plain.finish()
        plain.finish()
        #expect(
            log.text == """
                Packing: 41%, 25,000/60,000 images, 5,000/s, ETA 7s
                Packing: 83%, 50,000/60,000 images, 5,000/s, ETA 2s
                Packing: 60,000 images in 12s (5,000/s)

                """)

        let screen = CollectedOutput(.plain(80))
        clock.now = 0
        let line = ProgressLine("Scoring", total: nil, output: screen, clock: { clock.now })
        clock.now = 2
        line.update(done: 1234)
        #expect(screen.text == "\rScoring  1,234  617/s\u{1B}[J\r")
        screen.reset()
        line.finish("Done")
        #expect(screen.text == "\r\u{1B}[JDone\n")
    }

    @Test func whatATerminalShows() {
        func resolve(_ terminal: Bool, _ columns: Int?, _ environment: [String: String]) -> TerminalStyle {
            .resolve(isTerminal: terminal, columns: columns, environment: environment)
        }
        let utf8 = resolve(true, 120, ["TERM": "xterm", "LANG": "de_DE.UTF-8"])
        #expect(utf8 == TerminalStyle(isInteractive: true, width: 120, colour: true, unicode: true))
        #expect(!resolve(true, 120, ["LANG": "de_DE.UTF-8", "LC_ALL": "C"]).unicode)
        #expect(!resolve(true, 120, ["NO_COLOR": "1"]).colour)
        #expect(resolve(true, 120, ["NO_COLOR": ""]).colour)
        #expect(resolve(true, 120, ["COLUMNS": "50"]).width == 50)
        #expect(resolve(false, nil, ["COLUMNS": "no"]).width == 80)
        #expect(!resolve(true, 120, ["TERM": "dumb"]).isInteractive)
        #expect(!resolve(false, nil, [:]).colour)
    }

    @Test(arguments: [
        (0.0, "0s"), (59.4, "59s"), (59.6, "1m 00s"), (3599.7, "1h 00m"), (7500, "2h 05m"), (273_600, "3d 04h"),
        (.nan, "?"), (.infinity, "?"), (-1, "?"),
    ])
    func durations(_ seconds: Double, _ text: String) { #expect(Readable.duration(seconds) == text) }

    @Test func numbers() {
        #expect([0, 999, 1000, -1_234_567].map(Readable.count) == ["0", "999", "1,000", "-1,234,567"])
        #expect([0.25, 99.9, 99.99, 12345.6, .nan].map(Readable.rate) == ["0.2", "99.9", "100", "12,346", "?"])
    }
}
