import Anneal
import CAnnealSystem

/// Returns free memory to the system: before the first step, and between epochs for at most half a percent of the time.
///
/// The memory of some runs grew by about a megabyte per epoch, which was not reproduced. The likely cause is glibc's
/// memalign, which oneDNN calls in every step: it needs room for the alignment too, and cannot reuse the hole that a freed
/// block leaves next to an allocation that stays. `EnvironmentSettings` prevents holes next to cached blocks; trimming
/// returns the pages of the others.
final class HeapTrimmer: FitObserver {
    private static let share = 0.005
    private var next = -Double.infinity

    /// Memory used by compilation and initialisation is free before the first step, 8 MB for ResNeXt-101: glibc would
    /// keep it.
    static func trim() { anneal_trim_heap() }

    func receive(_ event: FitEvent) {
        switch event {
        case .started: Self.trim()
        case .epoch:
            let begin = Clocks.monotonic()
            guard begin >= next else { return }
            Self.trim()
            let end = Clocks.monotonic()
            next = end + (end - begin) / Self.share
        default: break
        }
    }
}
