import AnnealCompiler
import AnnealCore

/// The elements of a shape in row-major order, each with its offsets in two other arrays: used for transposes, slices
/// and broadcasts. An offset grows by the array's stride along each axis; a stride of 0 repeats the array.
struct Walk: Sendable {
    private let extents: [Int]
    private let first: [Int]
    private let second: [Int]
    private let starts: (first: Int, second: Int)

    /// - Parameter offset: the first other array's offset for the first element.
    init(_ shape: Shape, strides: [Int], offset: Int = 0, second: [Int]? = nil) {
        // An array without axes is one element.
        extents = shape.dims.isEmpty ? [1] : shape.dims
        first = strides.isEmpty ? [0] : strides
        self.second = second.flatMap { $0.isEmpty ? nil : $0 } ?? extents.map { _ in 0 }
        starts = (offset, 0)
    }

    /// Broadcasts one or two arrays, with extents equal to the shape's or 1, to the shape; missing leading axes count
    /// as 1.
    init(_ shape: Shape, broadcasting first: Shape, _ second: Shape? = nil) {
        func strides(_ array: Shape) -> [Int] {
            let dims = Array(repeating: 1, count: shape.rank - array.rank) + array.dims
            return zip(dims, rowStrides(Shape(dims))).map { $0 == 1 ? 0 : $1 }
        }
        self.init(shape, strides: strides(first), second: second.map(strides))
    }

    /// Calls body(element, offset in the first array, offset in the second).
    @inline(__always)
    func forEach(_ body: (Int, Int, Int) -> Void) {
        let last = extents.count - 1
        let inner = extents[last], a = first[last], b = second[last]
        let total = extents.reduce(1, *)
        guard total > 0 else { return }
        withUnsafeTemporaryAllocation(of: Int.self, capacity: last + 1) { counters in
            for axis in 0...last { counters[axis] = 0 }
            var element = 0, i = starts.first, j = starts.second
            while element < total {
                for k in 0..<inner { body(element + k, i + k * a, j + k * b) }
                element += inner
                var axis = last - 1
                while axis >= 0 {
                    counters[axis] += 1
                    i += first[axis]
                    j += second[axis]
                    if counters[axis] < extents[axis] { break }
                    i -= first[axis] * extents[axis]
                    j -= second[axis] * extents[axis]
                    counters[axis] = 0
                    axis -= 1
                }
            }
        }
    }
}

/// The distance between neighbours along each axis of a plain array, in elements.
func rowStrides(_ shape: Shape) -> [Int] {
    var strides = Array(repeating: 1, count: shape.rank)
    for axis in strides.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    return strides
}
