import AnnealCore

/// A parameter where it lives: its weights and the gradient of the last backward pass, in the same layout.
///
/// Layouts may have padding: elements with weight 0 and gradient 0. Every rule leaves those at 0.
public struct OptimizedParameter: @unchecked Sendable {
    // The pointers' memory belongs to the caller, who keeps it alive and untouched during a step.
    public let name: String
    /// Elements in memory, padding included.
    public let count: Int
    public let weight: UnsafeMutablePointer<Float>
    public let gradient: UnsafePointer<Float>
    /// Elements of a row (all axes but the first) where the layout is plain; nil in any other layout. Only
    /// GroupAdaGrad needs it.
    public let rowLength: Int?

    public init(
        name: String, count: Int, weight: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
        rowLength: Int? = nil
    ) {
        self.name = name
        self.count = count
        self.weight = weight
        self.gradient = gradient
        self.rowLength = rowLength
    }
}
