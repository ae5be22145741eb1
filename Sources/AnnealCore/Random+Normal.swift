import Foundation

extension Random {
    /// Standard normal, by the Box-Muller transform in double precision (two words a draw).
    public mutating func normal() -> Float {
        let u = (Double(nextWord()) + 0.5) * 0x1p-32
        let v = Double(nextWord()) * 0x1p-32
        return Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v))
    }

    /// A random permutation of 0 ..< count (Fisher and Yates).
    public mutating func permutation(_ count: Int) -> [Int32] {
        var order = Array(0..<Int32(count))
        var i = count - 1
        while i > 0 {
            order.swapAt(i, below(i + 1))
            i -= 1
        }
        return order
    }
}
