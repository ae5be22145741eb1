/// The permanent line of an epoch: pieces of text are left out, the least important first, until the line fits.
struct EpochLine {
    private struct Piece {
        var text: String
        /// Pieces of rank 0 stay; higher ranks go first.
        var rank: Int
        var paint: Paint.Tone
        /// The separator before it.
        var gap: String
    }

    private var pieces: [Piece] = []

    mutating func add(_ text: String, rank: Int, paint: Paint.Tone = .plain, after gap: String = "  ") {
        pieces.append(Piece(text: text, rank: rank, paint: paint, gap: gap))
    }

    /// In some terminals a full last column causes an empty line.
    func fits(_ width: Int) -> Bool { text(colour: false).count < width }

    func shortened(to width: Int) -> EpochLine {
        var result = self
        while !result.fits(width), let last = result.pieces.map(\.rank).max(), last > 0 {
            result.pieces.removeAll { $0.rank == last }
        }
        return result
    }

    func text(colour: Bool) -> String {
        let paint = Paint(enabled: colour)
        return pieces.enumerated().map { index, piece in
            (index == 0 ? "" : piece.gap) + paint.apply(piece.paint, piece.text)
        }.joined()
    }
}
