import AnnealCore
import Synchronization

/// Decoded images cached for later epochs, as many as fit into a number of bytes. Nothing is ever evicted: images that
/// did not fit in the first epoch are decoded in every epoch.
final class DecodedCache: Sendable {
    struct Entry: Sendable {
        var header: SampleHeader
        /// Decoded, upright, and after the augmentation steps that are not random.
        var image: Image
    }

    private struct State {
        var entries: [Int: Entry] = [:]
        var bytes = 0
    }

    private let budget: Int
    private let state = Mutex(State())
    /// The size of an entry in addition to its pixels.
    private static let overhead = 160

    init(bytes budget: Int) { self.budget = budget }

    var bytes: Int { state.withLock { $0.bytes } }
    var count: Int { state.withLock { $0.entries.count } }

    subscript(_ number: Int) -> Entry? { state.withLock { $0.entries[number] } }

    func offer(_ entry: Entry, for number: Int) {
        let size = entry.image.pixels.count + Self.overhead
        state.withLock { state in
            guard state.bytes + size <= budget, state.entries[number] == nil else { return }
            state.entries[number] = entry
            state.bytes += size
        }
    }
}
