import AnnealCore

/// Mixes each row of a batch with the row at the same distance from its end, in place, without a copy of the batch.
enum ImageMixing {
    /// share * own + (1 - share) * other.
    ///
    /// - Parameter unpaired: a row that is left unchanged.
    static func blend(
        _ data: UnsafeMutableBufferPointer<Float>, batch: Int, except unpaired: Int? = nil, rowSize: Int, share: Float
    ) {
        for row in 0..<(batch / 2) where row != unpaired {
            let own = row * rowSize, other = (batch - 1 - row) * rowSize
            for i in 0..<rowSize {
                let a = data[own + i], b = data[other + i]
                data[own + i] = share * a + (1 - share) * b
                data[other + i] = share * b + (1 - share) * a
            }
        }
    }

    /// Swaps one rectangle with an area of about 1 - share, centred on a random pixel and clipped at the border.
    ///
    /// - Parameter shape: (channels, height, width).
    /// - Returns: the exact share of the image outside the rectangle.
    static func exchangeRectangles<Element>(
        _ data: UnsafeMutableBufferPointer<Element>, batch: Int, except unpaired: Int? = nil, shape: Shape,
        share: Double,
        _ random: inout Random
    ) -> Float {
        let height = shape[1], width = shape[2], side = (1 - share).squareRoot()
        let y = random.below(height)
        let part = Rectangle(
            centreX: random.below(width), centreY: y, width: Int(Double(width) * side),
            height: Int(Double(height) * side), inside: (width, height))
        for row in 0..<(batch / 2) where row != unpaired {
            let own = row * shape.count, other = (batch - 1 - row) * shape.count
            for c in 0..<shape[0] {
                for y in part.y..<(part.y + part.height) {
                    let start = (c * height + y) * width + part.x
                    for i in start..<(start + part.width) { data.swapAt(own + i, other + i) }
                }
            }
        }
        return 1 - Float(part.width * part.height) / Float(width * height)
    }
}
