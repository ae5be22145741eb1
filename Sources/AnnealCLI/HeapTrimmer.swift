import Anneal
import CAnnealSystem

/// Returns free memory to the system: before the first step, and between epochs for at most half a percent of the time.
///
/// Runs were seen whose memory grew by about a megabyte an epoch. The likely cause, which was not reproduced: oneDNN takes and
/// frees aligned blocks in every step, and glibc's memalign, which needs room for the alignment too, cannot use the hole that
/// a freed block leaves next to an allocation that stays. Trimming gives back the pages of such holes.
final class HeapTrimmer: FitObserver {
    private static let share = 0.005
    private var next = -Double.infinity

    /// What compiling and first values took is free before the first step, 8 MB of ResNeXt-101: glibc keeps it otherwise.
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
