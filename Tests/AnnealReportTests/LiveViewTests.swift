import AnnealReport
import AnnealTrain
import Testing

@Suite struct LiveViewTests {
    private func style(_ width: Int, _ height: Int?) -> TerminalStyle {
        TerminalStyle(isInteractive: true, width: width, height: height, colour: false, unicode: true)
    }

    private func view() -> LiveView {
        guard case .started(let start) = Sample.start() else { preconditionFailure() }
        var tracker = RunTracker(start, history: [], now: 0)
        for (epoch, accuracy) in [0.5, 0.7, 0.6].enumerated() {
            tracker.end(Sample.epoch(epoch, validation: [("accuracy", accuracy)]), style(80, nil), now: 14)
        }
        for batch in 0..<30 { tracker.update(Sample.batch(3, batch, seconds: 0.2)) }
        var view = tracker.view
        view.memoryBytes = 312 << 20
        return view
    }

    @Test func threeLines() {
        let lines = view().lines(style(80, 24))
        #expect(
            lines == [
                "Epoch 4/10  ━━━━━━━━━━━━━━━━────────────────   50%  30/60  epoch 6s  ETA 1m 31s",
                "   accuracy 0.5000  500 images/s  lr 0.05  312 MB",
                "   best accuracy 0.7000 (checkpoint 2)  ▁█▅ validation accuracy",
            ], "\(lines)")
    }

    /// The time of an epoch that is not completed counts, too.
    @Test func theStatusKeepsTheTime() {
        guard case .started(let start) = Sample.start() else { preconditionFailure() }
        var tracker = RunTracker(start, history: [], now: 10)
        tracker.update(Sample.batch(0, 4, seconds: 0.2))
        #expect(tracker.status(at: 14).seconds == 4)
        var stopped = tracker, failed = tracker
        stopped.end(RunEnd(epochs: 0, seconds: 5, interrupted: true), now: 15)
        failed.fail("no", now: 16)
        #expect(stopped.status(at: 99).seconds == 5 && failed.status(at: 99).seconds == 6)
        let epoch = Sample.epoch(0, validation: [("accuracy", 0.5)])
        tracker.validating(epoch: 0, batch: 6, batches: 7)
        tracker.end(epoch, .none, now: 20)
        let status = tracker.status(at: 20)
        #expect(status.seconds == epoch.wholeSeconds && status.batch == 0 && status.batches == start.stepsPerEpoch)
    }

    @Test func everyWidthFits() {
        for width in 1...160 {
            for height in [nil, 4, 24] {
                let lines = view().lines(style(width, height))
                #expect(lines.allSatisfy { $0.count < max(2, width) }, "\(width)")
                #expect(lines.count == (width >= 60 && height == 24 ? 3 : 1))
            }
        }
    }

    @Test func curves() {
        #expect(LiveView.bars([0, 0.5, 1], width: 40, unicode: true) == "▁▅█")
        #expect(LiveView.bars([0, .nan, 1], width: 40, unicode: false) == "_ #")
        #expect(LiveView.bars([2, 2], width: 40, unicode: true) == "▅▅")
        #expect(LiveView.bars([], width: 40, unicode: true).isEmpty)
        #expect(LiveView.bars((0..<1000).map(Double.init), width: 10, unicode: true) == "▁▂▂▃▄▅▆▇▇█")
    }

    /// Three lines are redrawn in place, even when the window becomes narrower, and are replaced by a line that stays.
    @Test(arguments: [false, true]) func linesAreRedrawnInPlace(_ breaks: Bool) {
        let output = CollectedOutput(style(80, 24))
        var screen = Screen(width: 80), live = LiveLine(output)
        func draw(_ body: () -> Void) {
            body()
            screen.write(output.text)
            output.reset()
        }
        draw { live.print("above") }
        draw { live.show(view().lines(output.style)) }
        draw { live.show(view().lines(output.style)) }
        #expect(screen.rows.count == 4 && screen.rows[0] == "above")
        screen.resize(to: 50, breaks: breaks)
        output.style = style(50, 24)
        draw { live.show(view().lines(output.style)) }
        #expect(screen.rows.count == 2, "\(screen.rows)")
        screen.resize(to: 100, breaks: breaks)
        output.style = style(100, 24)
        draw { live.show(view().lines(output.style)) }
        draw { live.print("below") }
        #expect(screen.rows == ["above", "below"], "\(screen.rows)")
    }
}
