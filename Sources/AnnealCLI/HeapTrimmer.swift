import Anneal
import CMalloc

/// Returns free memory to the system between epochs, for at most half a percent of the time.
///
/// Runs were seen whose memory grew by about a megabyte an epoch. The likely cause, which was not reproduced: oneDNN takes and
/// frees aligned blocks in every step, and glibc's memalign, which needs room for the alignment too, cannot use the hole that
/// a freed block leaves next to an allocation that stays. Trimming gives back the pages of such holes.
final class HeapTrimmer: FitObserver {
    private static let share = 0.005
    private var next = -Double.infinity

    func receive(_ event: FitEvent) {
        guard case .epoch = event, case let begin = Clocks.monotonic(), begin >= next else { return }
        malloc_trim(0)
        let end = Clocks.monotonic()
        next = end + (end - begin) / Self.share
    }
}
