import Anneal
import CMalloc

/// Returns free memory to the system between epochs, for at most half a percent of the time.
///
/// oneDNN takes and frees aligned blocks in every step. Where a small allocation that stays lands next to a freed one, the
/// block's successor no longer fits there (glibc's memalign needs the alignment's room too) and is taken from new
/// memory; after some hundred epochs that can be several times what the network needs. Trimming gives back the pages of
/// such holes, wherever they are in the heap.
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
