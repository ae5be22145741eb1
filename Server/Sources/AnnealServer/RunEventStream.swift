import Anneal
import FlyingFox
import FlyingSocks
import Foundation

/// Server-sent events of a run: one whenever its files have changed, until the run ends or nobody listens.
package struct RunEventStream: AsyncBufferedSequence, Sendable {
    package typealias Element = UInt8

    let folder: String
    let interval: Duration

    package init(folder: String, interval: Duration) {
        self.folder = folder
        self.interval = interval
    }

    package func makeAsyncIterator() -> Iterator { Iterator(folder: folder, interval: interval) }

    package struct Iterator: AsyncBufferedIteratorProtocol {
        package typealias Buffer = [UInt8]

        let folder: String
        let interval: Duration
        private var stamp = ""
        private var isOver = false
        private var quiet = 0
        private var rest: ArraySlice<UInt8> = []

        fileprivate init(folder: String, interval: Duration) {
            self.folder = folder
            self.interval = interval
        }

        package mutating func next() async throws -> UInt8? { try await nextBuffer(suggested: 1)?.first }

        package mutating func nextBuffer(suggested count: Int) async throws -> [UInt8]? {
            if rest.isEmpty { rest = try await event()?[...] ?? [] }
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(Swift.max(1, count)) }
            return Array(rest.prefix(Swift.max(1, count)))
        }

        /// nil: the run has ended.
        private mutating func event() async throws -> [UInt8]? {
            guard !isOver else { return nil }
            while true {
                let now = RunEvents.stamp(inFolder: folder)
                isOver = RunStatus.read(RunFolder(existing: folder).status)?.current() != .running
                if now != stamp || isOver {
                    (stamp, quiet) = (now, 0)
                    return Array("data: \(try RunEvents.json(inFolder: folder))\n\n".utf8)
                }
                try await Task.sleep(for: interval)
                quiet += 1
                // Otherwise a listener that has disconnected is not noticed.
                if quiet % 15 == 0 { return Array(": still here\n\n".utf8) }
            }
        }
    }
}
