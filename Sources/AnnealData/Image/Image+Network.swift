import AnnealCore

extension Image {
    /// The image that the network's input shows: the inverse of the loader's normalisation, rounded.
    /// - Parameter values: (channels, height, width).
    public init(_ values: some RandomAccessCollection<Float>, shape: Shape, normalization: Normalization) {
        let channels = shape[0], area = shape[1] * shape[2]
        precondition(values.count == channels * area, "\(values.count) numbers are not an image of \(shape)")
        self.init(width: shape[2], height: shape[1], channels: channels, filledWith: 0)
        for (i, value) in values.enumerated() {
            let c = i / area
            pixels[i % area * channels + c] = .rounded(value / normalization.factor(c) + normalization.mean(c))
        }
    }
}
