import AnnealCore

extension Image {
    /// What the network's input showed: the inverse of the loader's normalisation, rounded.
    /// - Parameter values: (channels, height, width).
    public init(_ values: some RandomAccessCollection<Float>, shape: Shape, normalization: Normalization) {
        let channels = shape[0], area = shape[1] * shape[2]
        precondition(values.count == channels * area, "\(values.count) numbers are no image of \(shape)")
        self.init(width: shape[2], height: shape[1], channels: channels, filledWith: 0)
        for (i, value) in values.enumerated() {
            let c = i / area
            pixels[i % area * channels + c] = .rounded(value / normalization.factor(c) + normalization.mean(c))
        }
    }

    /// Images of one shape in rows and columns on white.
    ///
    /// - Parameters:
    ///   - scale: each pixel becomes a square of this side.
    ///   - gap: white pixels around each image.
    /// - Throws: `AnnealError` when the sheet would have more than `maximumPixels`.
    /// - Precondition: there is an image, and all rows have as many, of one shape.
    public static func contactSheet(_ rows: [[Image]], scale: Int, gap: Int) throws -> Image {
        let first = rows[0][0], columns = rows[0].count
        let cell = (width: first.width * scale + gap, height: first.height * scale + gap)
        let width = columns * cell.width + gap, height = rows.count * cell.height + gap
        guard width <= maximumPixels / height else {
            throw AnnealError(
                "contact sheet", "would have \(width) x \(height) pixels", suggestion: "show fewer images")
        }
        var sheet = Image(width: width, height: height, channels: first.channels, filledWith: 255)
        for (row, images) in rows.enumerated() {
            precondition(images.count == columns)
            for (column, image) in images.enumerated() {
                let shown = image.resized(width: first.width * scale, height: first.height * scale, .nearest)
                let line = shown.width * shown.channels
                for y in 0..<shown.height {
                    let to = ((row * cell.height + gap + y) * width + column * cell.width + gap) * shown.channels
                    sheet.pixels.replaceSubrange(
                        to..<(to + line), with: shown.pixels[(y * line)..<((y + 1) * line)])
                }
            }
        }
        return sheet
    }
}
