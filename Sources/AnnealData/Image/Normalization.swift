/// Converts 8-bit pixels to the network's floats: (pixel - mean) * scale / std, RGB. Defaults are MXNet's.
public struct Normalization: Sendable, Equatable, Codable {
    /// By channel in the order R, G, B (A); missing ones are 0. A gray image uses only the first.
    public var mean: [Float]
    /// By channel; missing ones are 1.
    public var std: [Float]
    public var scale: Float

    public init(mean: [Float] = [], std: [Float] = [], scale: Float = 1) {
        self.mean = mean
        self.std = std
        self.scale = scale
    }

    func mean(_ channel: Int) -> Float { mean.indices.contains(channel) ? mean[channel] : 0 }
    func factor(_ channel: Int) -> Float { std.indices.contains(channel) ? scale / std[channel] : scale }
}
