import AnnealCore
import Foundation
import Synchronization

/// What a look at whole samples has found, before training: which of them cannot be used.
///
/// Processes that share batches must know that beforehand, since a sample that is left out moves all that follow it, in the rows
/// of every process.
package struct UnusableSamples: Sendable {
    package private(set) var bad: [BadRecord] = []
    /// Those of them whose label is no class's, by number.
    package private(set) var mislabelled: Set<Int> = []

    package init(_ bad: [BadRecord] = [], mislabelled: Set<Int> = []) {
        self.bad = bad.sorted { $0.number < $1.number }
        self.mislabelled = mislabelled
    }

    /// Decodes and prepares some samples of a source as a loader would.
    /// - Throws: what a loader would throw for every policy.
    package init(_ source: any SampleSource, _ numbers: Range<Int>, options: LoaderOptions) throws {
        let next = Mutex(numbers.lowerBound), found = Mutex(UnusableSamples())
        let failure = Mutex<(any Error)?>(nil)
        DispatchQueue.concurrentPerform(iterations: max(1, options.threads)) { _ in
            do {
                let reader = try SampleReader(source: source, options: options)
                let ring = try PixelRing(
                    rows: 1, channels: options.dataShape[0], height: options.dataShape[1], width: options.dataShape[2],
                    labelWidth: options.labelWidth)
                while failure.withLock({ $0 == nil }) {
                    let number = next.withLock { next in
                        defer { next += 1 }
                        return next
                    }
                    guard number < numbers.upperBound else { return }
                    switch reader.read(sample: number, epoch: 0, into: ring, row: 0) {
                    case .ready: continue
                    case .bad(let record): found.withLock { $0.bad.append(record) }
                    case .mislabelled(let record):
                        found.withLock { found in
                            found.bad.append(record)
                            found.mislabelled.insert(number)
                        }
                    case .failed(let error): throw error
                    }
                }
            } catch { failure.withLock { $0 = $0 ?? error } }
        }
        if let error = failure.withLock({ $0 }) { throw error }
        let all = found.withLock { $0 }
        self.init(all.bad, mislabelled: all.mislabelled)
    }

    /// - Parameter count: samples of the source.
    /// - Throws: `AnnealError` if so many labels are no class's that data and network do not belong together, and if nothing is
    ///   left.
    package func check(of count: Int, in source: any SampleSource) throws {
        if !ClassLabel.areDamaged(mislabelled.count, of: count),
            let first = bad.first(where: { mislabelled.contains($0.number) })
        {
            throw first.reason
        }
        guard bad.count < count else {
            throw AnnealError(
                source.path,
                "none of its \(count) images can be used; the first: \(bad.first.map { "\($0.reason)" } ?? "")",
                code: .damaged)
        }
    }
}
