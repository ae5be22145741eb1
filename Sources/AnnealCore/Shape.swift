/// The extents of an array, outermost first. Images are `(batch, channels, height, width)`, MXNet's NCHW.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    public var dims: [Int]

    public init(_ dims: [Int]) { self.dims = dims }
    public init(arrayLiteral elements: Int...) { dims = elements }

    /// The number of axes.
    public var rank: Int { dims.count }
    /// The number of elements; 1 for a rank of 0.
    public var count: Int { dims.reduce(1, *) }
    public var isEmpty: Bool { dims.isEmpty }

    /// A negative axis counts from the end.
    public subscript(axis: Int) -> Int {
        get { dims[axis < 0 ? axis + dims.count : axis] }
        set { dims[axis < 0 ? axis + dims.count : axis] = newValue }
    }

    /// As MXNet prints tuples: `(2, 3)`, `(2,)`.
    public var description: String {
        dims.count == 1 ? "(\(dims[0]),)" : "(\(dims.map(String.init).joined(separator: ", ")))"
    }
}
