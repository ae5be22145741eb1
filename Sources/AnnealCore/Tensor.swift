/// A float32 array in host memory, in row-major (plain) layout: the engine's inputs and outputs.
public struct Tensor: Sendable, Equatable {
    public var shape: Shape
    public var elements: [Float]

    /// - Precondition: `elements.count == shape.count`.
    public init(_ shape: Shape, _ elements: [Float]) {
        precondition(elements.count == shape.count, "\(elements.count) elements do not fill \(shape)")
        self.shape = shape
        self.elements = elements
    }

    /// A tensor with all elements equal to `value`.
    public init(_ shape: Shape, repeating value: Float = 0) {
        self.shape = shape
        elements = Array(repeating: value, count: shape.count)
    }

    public var count: Int { elements.count }
}
