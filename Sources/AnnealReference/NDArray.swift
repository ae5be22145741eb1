import AnnealCore

/// An array of doubles in row-major order, used by the reference engine.
struct NDArray {
    let shape: Shape
    var elements: [Double]

    init(_ shape: Shape, _ elements: [Double]) {
        self.shape = shape
        self.elements = elements
    }

    init(_ shape: Shape, repeating value: Double = 0) {
        self.init(shape, Array(repeating: value, count: shape.count))
    }

    var count: Int { elements.count }

    subscript(index: Int) -> Double {
        get { elements[index] }
        set { elements[index] = newValue }
    }

    func map(_ f: (Double) -> Double) -> NDArray { NDArray(shape, elements.map(f)) }

    /// f applied to the elements of two arrays at the same position.
    static func map(_ a: NDArray, _ b: NDArray, _ f: (Double, Double) -> Double) -> NDArray {
        NDArray(a.shape, zip(a.elements, b.elements).map(f))
    }
}

/// An array seen as (outer, axis, inner), for operators that work along one axis.
struct AxisView {
    let outer, axis, inner: Int

    init(_ extents: (outer: Int, axis: Int, inner: Int)) { (outer, axis, inner) = extents }

    func offset(_ o: Int, _ k: Int, _ i: Int) -> Int { (o * axis + k) * inner + i }

    /// Calls body(row, offsets of the row's elements) for each row along the axis.
    func forEachRow(_ body: (Int, [Int]) -> Void) {
        for o in 0..<outer {
            for i in 0..<inner { body(o * inner + i, (0..<axis).map { offset(o, $0, i) }) }
        }
    }
}

/// All index vectors below some extents, in row-major order.
struct Indices: Sequence, IteratorProtocol {
    private let extents: [Int]
    private var following: [Int]?

    init(_ extents: [Int]) {
        self.extents = extents
        following = extents.contains(0) ? nil : extents.map { _ in 0 }
    }

    mutating func next() -> [Int]? {
        guard let current = following else { return nil }
        var index = current
        var axis = extents.count - 1
        while axis >= 0 {
            index[axis] += 1
            if index[axis] < extents[axis] { break }
            index[axis] = 0
            axis -= 1
        }
        following = axis < 0 ? nil : index
        return current
    }
}

/// The offset of an index vector for given strides.
func offset(_ index: [Int], _ strides: [Int]) -> Int { zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 } }

/// Strides that read an array as if it were broadcast to a shape: 0 along axes of extent 1 and missing leading axes.
func broadcastStrides(_ array: Shape, to shape: Shape) -> [Int] {
    var strides = Array(repeating: 0, count: shape.rank), stride = 1
    for axis in array.dims.indices.reversed() {
        if array[axis] != 1 { strides[axis + shape.rank - array.rank] = stride }
        stride *= array[axis]
    }
    return strides
}
