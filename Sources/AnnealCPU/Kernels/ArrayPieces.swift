import AnnealCore

/// Arrays cut into fixed pieces, so that small arrays do not each start a parallel region, and sums do not depend on
/// threads.
struct ArrayPieces: Sendable {
    /// Elements per piece; part of the promise of equal bits between versions: never change it.
    static let size = 8192

    struct Piece: Sendable {
        let number: Int
        let array: Int
        let start: Int
        let count: Int
    }

    private let arrays: [FloatArray]
    private let pieces: [Piece]
    /// Elements before each piece and, last, the total: used to divide them among the threads.
    private let offsets: [Int]

    /// - Parameter size: elements per piece.
    init(_ arrays: [FloatArray], size: (FloatArray) -> Int) {
        self.arrays = arrays
        var pieces: [Piece] = [], offsets = [0]
        for (index, array) in arrays.enumerated() {
            let size = max(1, size(array))
            for start in stride(from: 0, to: array.count, by: size) {
                let count = min(size, array.count - start)
                pieces.append(Piece(number: pieces.count, array: index, start: start, count: count))
                offsets.append((offsets.last ?? 0) + count)
            }
        }
        self.pieces = pieces
        self.offsets = offsets
    }

    var count: Int { pieces.count }

    subscript(number: Int) -> Piece { pieces[number] }

    /// Calls `body` for every piece, each thread with a run of about equally many elements.
    func run(_ body: @Sendable (Piece, FloatArray) -> Void) {
        guard !pieces.isEmpty else { return }
        Parallel.run { part, parts in
            for number in share(part, parts) { body(pieces[number], arrays[pieces[number].array]) }
        }
    }

    private func share(_ part: Int, _ parts: Int) -> Range<Int> {
        let total = offsets[pieces.count]
        func border(_ part: Int) -> Int { first(from: total / parts * part + total % parts * part / parts) }
        return border(part)..<border(part + 1)
    }

    /// The first piece that begins at `element` or later; by bisection.
    private func first(from element: Int) -> Int {
        var low = 0, high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if offsets[middle] < element { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
