import AnnealCore
import Foundation
import Synchronization

/// The state that the loader's threads share: the ring, and who may touch which of its rows.
///
/// Position p of an epoch uses row p mod rows of the ring: `claimed` by a worker → result stored → taken by the
/// consumer → `released`, when the row is free for p + rows.
final class LoaderCore: Sendable {
    private struct State: Sendable {
        var order: EpochOrder?
        /// The next position to claim.
        var next = 0
        /// Positions below this are wanted.
        var limit = 0
        /// Positions below this have left the ring.
        var released = 0
        /// By row of the ring; nil: not ready.
        var results: [SampleResult?]
        /// Claims in progress.
        var busy = 0
        var accepting = false
        var stopped = false
        var live = 0
    }

    let ring: PixelRing
    private let source: any SampleSource
    private let options: LoaderOptions
    private let chunk: Int
    private let cache: DecodedCache?
    /// The background reader of the source.
    private let reading = Mutex<(any Sendable)?>(nil)
    private let state: Guarded<State>
    private let bad = Mutex<[Int: BadRecord]>([:])
    /// For the consumer, which reads its samples itself if no thread could be started; else nil.
    private let consumersReader = Mutex<Transferred<SampleReader>?>(nil)

    init(source: any SampleSource, options: LoaderOptions) throws {
        self.source = source
        self.options = options
        let batch = options.slotRows
        ring = try PixelRing(
            rows: options.ringRows, channels: options.dataShape[0], height: options.dataShape[1],
            width: options.dataShape[2], labelWidth: options.labelWidth)
        cache = options.cachedBytes > 0 ? DecodedCache(bytes: options.cachedBytes) : nil
        chunk = min(16, max(1, batch / (2 * options.threads)))
        state = Guarded(State(results: Array(repeating: nil, count: ring.rows)))
    }

    /// Bad records found so far, by index.
    var badRecords: [BadRecord] { bad.withLock { $0.values.sorted { $0.number < $1.number } } }

    // Workers -----------------------------------------------------------------------------------------------------

    /// Starts as many threads as the system allows, at most the number in the options.
    /// - Throws: `AnnealError` when a decoder cannot be created.
    func startThreads() throws {
        reading.withLock { $0 = source.beginReading(ahead: options.readsAhead) }
        // Created here so that an error is thrown to the caller, not lost in a thread.
        for number in 0..<options.threads {
            let reader = Transferred(try SampleReader(source: source, options: options, cache: cache))
            state.withLock { $0.live += 1 }
            guard let thread = WorkerThread("anneal-decode-\(number)", { self.work(reader.value) }) else {
                state.withLock { $0.live -= 1 }
                if number == 0 { consumersReader.withLock { $0 = reader } }
                return
            }
            thread.detach()
        }
    }

    /// Passes a value to the one thread that uses it from then on.
    private struct Transferred<Value>: @unchecked Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    private func work(_ reader: SampleReader) {
        while case .rows(let positions, let order) = state.wait(for: .work, until: claim) {
            read(positions, order, reader)
            state.signal(.progress)
        }
        state.withLock { $0.live -= 1 }
        state.signal(.progress)
    }

    private func read(_ positions: Range<Int>, _ order: EpochOrder, _ reader: SampleReader) {
        let results = positions.map { position in
            let sample = order[position]
            return reader.read(sample: sample.number, epoch: sample.epoch, into: ring, row: position % ring.rows)
        }
        state.withLock { state in
            for (position, result) in zip(positions, results) { state.results[position % ring.rows] = result }
            state.busy -= 1
        }
    }

    private enum Claim {
        case rows(Range<Int>, EpochOrder)
        case endOfThread
    }

    /// What a worker should do next; nil: wait.
    private func claim(_ state: inout State) -> Claim? {
        if state.stopped { return .endOfThread }
        // Fewer threads towards the end, so that none waits long for another's last images.
        let fewer = max(1, (state.limit - state.next) / (2 * options.threads))
        let end = min(state.limit, state.released + ring.rows, state.next + min(chunk, fewer))
        guard state.accepting, let order = state.order, state.next < end else { return nil }
        defer { state.next = end }
        state.busy += 1
        return .rows(state.next..<end, order)
    }

    // Consumer ----------------------------------------------------------------------------------------------------

    /// Waits for the workers to finish their rows, then starts them on another epoch or position.
    func restart(_ order: EpochOrder, from position: Int, limit: Int) {
        halt()
        state.withLock { state in
            state.order = order
            state.next = position
            state.released = position
            state.limit = limit
            for row in state.results.indices { state.results[row] = nil }
            state.accepting = true
        }
        state.signal(.work)
    }

    /// The results of the ready positions from `position` on, at least one and at most `most`.
    func take(from position: Int, most: Int) -> [SampleResult] {
        let extended = state.withLock { state in
            defer { state.limit = max(state.limit, position + 1) }
            return state.limit < position + 1
        }
        if extended { state.signal(.work) }
        consumersReader.withLock { reader in
            guard let reader else { return }
            while state.withLock({ $0.results[position % ring.rows] == nil }),
                case .rows(let positions, let order)? = state.withLock(claim)
            {
                read(positions, order, reader.value)
            }
        }
        return state.wait(for: .progress) { state in
            var ready: [SampleResult] = []
            while ready.count < min(most, ring.rows), let result = state.results[(position + ready.count) % ring.rows] {
                ready.append(result)
            }
            return ready.isEmpty ? nil : ready
        }
    }

    /// Returns the rows of the positions to the workers.
    func release(_ positions: Range<Int>) {
        state.withLock { state in
            for position in positions { state.results[position % ring.rows] = nil }
            state.released = positions.upperBound
        }
        state.signal(.work)
    }

    /// The number of cached decoded images, and their bytes.
    var kept: (images: Int, bytes: Int) { (cache?.count ?? 0, cache?.bytes ?? 0) }

    func note(_ record: BadRecord) { bad.withLock { $0[record.number] = record } }

    /// Ends the threads and waits for them.
    func stop() {
        state.withLock { $0.stopped = true }
        state.signal(.work)
        state.wait(for: .progress) { $0.live == 0 ? () : nil }
    }

    private func halt() {
        state.withLock { $0.accepting = false }
        state.wait(for: .progress) { $0.busy == 0 ? () : nil }
    }
}

extension LoaderOptions {
    /// Rows for decoded images: two batches, and those that are prepared ahead.
    var ringRows: Int {
        let ahead = (prefetch - 1).multipliedSafely(by: slotRows)
        return 2 * slotRows + min(ahead, (256 << 20) / dataShape.count)
    }

    /// The memory that a loader allocates when it is created: decoded images with their labels, and their results.
    var memoryNeed: MemoryNeed {
        var need = MemoryNeed()
        need.add(
            "decoded images",
            bytes: ringRows * (dataShape.count + 4 * labelWidth + MemoryLayout<SampleResult?>.stride))
        return need
    }

    /// The memory of each thread: a file, and its image before and after a change of size or orientation.
    func decodingNeed(imagePixels: Int) -> MemoryNeed {
        var need = MemoryNeed()
        need.add(
            "files and images of decoding threads",
            bytes: (3 * dataShape[0] * threads).multipliedSafely(by: imagePixels))
        return need
    }
}

extension Int {
    func multipliedSafely(by other: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
