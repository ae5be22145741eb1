/// The source positions and weights of each new position along one axis, in OpenCV's fixed point (2048 is 1).
struct ResizeTaps {
    /// New positions.
    var count: Int
    /// Taps per position: 2 or 4.
    var width: Int
    var positions: [Int] = []
    var weights: [Int32] = []

    private init(count: Int, width: Int) {
        self.count = count
        self.width = width
        positions.reserveCapacity(count * width)
        weights.reserveCapacity(count * width)
    }

    /// - Parameter start: the start of the part to be resized.
    static func bilinear(new: Int, old: Int, scale: Double, from start: Double, vertical: Bool) -> ResizeTaps {
        var taps = ResizeTaps(count: new, width: 2)
        for position in 0..<new {
            let place = Float((Double(position) + 0.5) * scale - 0.5 + start)
            let left = place.rounded(.down)
            taps.append(Int(left), fraction: place - left, old, vertical: vertical)
        }
        return taps
    }

    static func enlargingArea(new: Int, old: Int, scale: Double, vertical: Bool) -> ResizeTaps {
        var taps = ResizeTaps(count: new, width: 2)
        for position in 0..<new {
            let left = (Double(position) * scale).rounded(.down)
            let overlap = Float(Double(position + 1) - (left + 1) / scale)
            let fraction = overlap <= 0 ? 0 : overlap - overlap.rounded(.down)
            taps.append(Int(left), fraction: fraction, old, vertical: vertical)
        }
        return taps
    }

    /// Cubic convolution with A = -0.75 over four taps.
    static func cubic(new: Int, old: Int, scale: Double, from start: Double) -> ResizeTaps {
        let a: Float = -0.75
        var taps = ResizeTaps(count: new, width: 4)
        for position in 0..<new {
            let place = Float((Double(position) + 0.5) * scale - 0.5 + start)
            let left = place.rounded(.down)
            let x = place - left
            let far = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
            let near = ((a + 2) * x - (a + 3)) * x * x + 1
            let next = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1
            for (tap, weight) in [far, near, next, 1 - far - near - next].enumerated() {
                taps.positions.append(min(max(Int(left) - 1 + tap, 0), old - 1))
                taps.weights.append(fixed(weight))
            }
        }
        return taps
    }

    /// Outside the image its outermost pixel is repeated. OpenCV then uses that pixel alone in rows, but blends it with
    /// itself in columns, which can lose a level: both are reproduced.
    private mutating func append(_ left: Int, fraction: Float, _ old: Int, vertical: Bool) {
        var fraction = fraction
        if !vertical && (left < 0 || left >= old - 1) { fraction = 0 }
        positions.append(min(max(left, 0), old - 1))
        positions.append(min(max(left + 1, 0), old - 1))
        weights.append(ResizeTaps.fixed(1 - fraction))
        weights.append(ResizeTaps.fixed(fraction))
    }

    private static func fixed(_ weight: Float) -> Int32 { Int32((weight * 2048).rounded(.toNearestOrEven)) }
}

/// The source cells that each new position covers along one axis; weights sum to 1.
struct AreaCells {
    var cells: [[(position: Int, weight: Float)]]
    var count: Int { cells.count }

    static func table(new: Int, old: Int, scale: Double, from start: Double = 0) -> AreaCells {
        AreaCells(
            cells: (0..<new).map { position in
                let low = Double(position) * scale + start
                let high = min(low + scale, Double(old))
                let width = min(scale, Double(old) - low)
                let first = Int(low)
                let last = min(Int(high.rounded(.up)), old)
                return (first..<max(last, first + 1)).compactMap { cell in
                    let overlap = min(high, Double(cell + 1)) - max(low, Double(cell))
                    return overlap > 1e-6 ? (cell, Float(overlap / width)) : nil
                }
            })
    }
}
