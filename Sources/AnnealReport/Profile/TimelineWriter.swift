import AnnealTrain

/// Writes the outputs of a training run's timeline, once: when its steps are over, or at the end of the run.
package final class TimelineWriter: FitObserver {
    private let timeline: Timeline
    private let write: (Timeline) throws -> Void
    private var isWritten = false

    package init(_ timeline: Timeline, write: @escaping (Timeline) throws -> Void) {
        self.timeline = timeline
        self.write = write
    }

    package func receive(_ event: FitEvent) throws {
        switch event {
        case .batch where timeline.isComplete: try writeOnce()
        case .finished: try writeOnce()
        default: break
        }
    }

    private func writeOnce() throws {
        guard !isWritten else { return }
        isWritten = true
        try write(timeline)
    }
}
