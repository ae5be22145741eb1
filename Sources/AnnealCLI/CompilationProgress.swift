import Anneal
import Dispatch
import Synchronization

/// Shows that an accelerator's compiler is at work, and keeps its reports for the log.
final class CompilationProgress: Sendable {
    private struct State {
        var live = LiveLine(StandardStream.error)
        var current: (text: String, start: Double)?
        var lines: [String] = []
        var isTicking = false
    }
    private let state = Mutex(State())
    /// Whether somebody writes the lines to a log, which shows them too.
    private let isLogged: Bool

    init(isLogged: Bool = false) { self.isLogged = isLogged }

    /// Called by `Device`.
    var report: @Sendable (CompilationReport) -> Void { { [self] in receive($0) } }

    private func receive(_ report: CompilationReport) {
        state.withLock { state in
            switch report {
            case .began(let text):
                state.current = (text, Clocks.monotonic())
                guard StandardStream.error.style.isInteractive else { return StandardStream.error.write("\(text)\n") }
                Self.draw(&state)
                if !state.isTicking { tickLater() }
                state.isTicking = true
            case .ended(let text), .remark(let text):
                if case .ended = report { state.current = nil }
                state.lines.append(text)
                if isLogged { state.live.clear() } else { state.live.print(text) }
            }
        }
    }

    private static func draw(_ state: inout State) {
        guard let (text, start) = state.current else { return }
        let line = "\(text): \(Readable.duration(Clocks.monotonic() - start))"
        state.live.show(String(line.prefix(max(10, StandardStream.error.style.width - 1))))
    }

    private func tickLater() {
        DispatchQueue.global().asyncAfter(deadline: .now() + 1) { [weak self] in self?.tick() }
    }

    private func tick() {
        state.withLock { state in
            state.isTicking = state.current != nil
            Self.draw(&state)
            if state.isTicking { tickLater() }
        }
    }

    /// Reports since the last call.
    func takeLines() -> [String] {
        state.withLock { state in
            defer { state.lines = [] }
            return state.lines
        }
    }
}

/// Writes later compilations, e.g. of averages, to a run's log.
final class CompilationNotes: FitObserver {
    private let progress: CompilationProgress
    private let observers: [any FitObserver]

    init(_ progress: CompilationProgress, _ observers: [any FitObserver]) {
        self.progress = progress
        self.observers = observers
    }

    func receive(_ event: FitEvent) throws {
        for line in progress.takeLines() {
            for observer in observers { try observer.receive(.note(line)) }
        }
    }
}
