/// How pixels between pixels are made; raw values are OpenCV's and MXNet's `inter_method`.
public enum Interpolation: Int, Sendable, Codable {
    case nearest = 0
    case bilinear = 1
    case cubic = 2
    case area = 3
    /// MXNet's 9: cubic to enlarge both sides, area to shrink both, else bilinear.
    case automatic = 9

    func resolved(from old: (width: Int, height: Int), to new: (width: Int, height: Int)) -> Interpolation {
        guard self == .automatic else { return self }
        if new.width > old.width && new.height > old.height { return .cubic }
        if new.width < old.width && new.height < old.height { return .area }
        return .bilinear
    }
}

extension Image {
    /// Resized as OpenCV's `resize` does on 8-bit images: bilinear and cubic with its fixed-point weights (11 bits).
    public func resized(width newWidth: Int, height newHeight: Int, _ interpolation: Interpolation = .bilinear) -> Image {
        precondition(newWidth > 0 && newHeight > 0)
        if newWidth == width && newHeight == height { return self }
        let scaleX = 1 / (Double(newWidth) / Double(width))
        let scaleY = 1 / (Double(newHeight) / Double(height))
        switch interpolation.resolved(from: (width, height), to: (newWidth, newHeight)) {
        case .nearest:
            return resizedNearest(newWidth, newHeight, scaleX, scaleY)
        case .cubic:
            let taps = { ResizeTaps.cubic(new: $0, old: $1, scale: $2) }
            return resizedByTaps(taps(newWidth, width, scaleX), taps(newHeight, height, scaleY))
        case .area where scaleX >= 1 && scaleY >= 1:
            return resizedByArea(
                AreaCells.table(new: newWidth, old: width, scale: scaleX),
                AreaCells.table(new: newHeight, old: height, scale: scaleY))
        case .area:
            // OpenCV's area interpolation enlarges with weights that keep whole source pixels in place.
            let taps = { ResizeTaps.enlargingArea(new: $0, old: $1, scale: $2) }
            return resizedByTaps(taps(newWidth, width, scaleX), taps(newHeight, height, scaleY))
        case .bilinear where newWidth * 2 == width && newHeight * 2 == height:
            // OpenCV takes the mean of four pixels for an exact half.
            return resizedByArea(
                AreaCells.table(new: newWidth, old: width, scale: 2),
                AreaCells.table(new: newHeight, old: height, scale: 2))
        case .bilinear, .automatic:
            let taps = { ResizeTaps.bilinear(new: $0, old: $1, scale: $2) }
            return resizedByTaps(taps(newWidth, width, scaleX), taps(newHeight, height, scaleY))
        }
    }

    /// The shorter side becomes `side`, the other keeps the ratio, rounded down.
    public func resizedShortSide(to side: Int, _ interpolation: Interpolation = .bilinear) -> Image {
        if height > width {
            return resized(width: side, height: side * height / width, interpolation)
        }
        return resized(width: side * width / height, height: side, interpolation)
    }

    private func resizedNearest(_ newWidth: Int, _ newHeight: Int, _ scaleX: Double, _ scaleY: Double) -> Image {
        let columns = (0..<newWidth).map { min(Int(Double($0) * scaleX), width - 1) }
        var out: [UInt8] = []
        out.reserveCapacity(newWidth * newHeight * channels)
        for y in 0..<newHeight {
            let row = min(Int(Double(y) * scaleY), height - 1) * width
            for x in columns {
                let start = (row + x) * channels
                for c in 0..<channels { out.append(pixels[start + c]) }
            }
        }
        return Image(width: newWidth, height: newHeight, channels: channels, pixels: out)
    }

    /// Both directions by weighted taps: rows first into 32-bit sums, then columns, rounded once.
    private func resizedByTaps(_ columns: ResizeTaps, _ rows: ResizeTaps) -> Image {
        let line = columns.count * channels
        var sums = [Int32](repeating: 0, count: height * line)
        var out = [UInt8](repeating: 0, count: rows.count * line)
        pixels.withUnsafeBufferPointer { source in
            sums.withUnsafeMutableBufferPointer { sums in
                for y in 0..<height {
                    for x in 0..<columns.count {
                        for c in 0..<channels {
                            var sum: Int32 = 0
                            for tap in 0..<columns.width {
                                let at = x * columns.width + tap
                                sum += Int32(source[(y * width + columns.positions[at]) * channels + c]) * columns.weights[at]
                            }
                            sums[y * line + x * channels + c] = sum
                        }
                    }
                }
                out.withUnsafeMutableBufferPointer { out in
                    for y in 0..<rows.count {
                        let taps = (y * rows.width)..<((y + 1) * rows.width)
                        for i in 0..<line {
                            out[y * line + i] =
                                rows.width == 2
                                ? ResizeTaps.blend(
                                    sums[rows.positions[taps.lowerBound] * line + i], rows.weights[taps.lowerBound],
                                    sums[rows.positions[taps.lowerBound + 1] * line + i], rows.weights[taps.lowerBound + 1])
                                : ResizeTaps.round(taps.reduce(0) { $0 + Int(sums[rows.positions[$1] * line + i]) * Int(rows.weights[$1]) })
                        }
                    }
                }
            }
        }
        return Image(width: columns.count, height: rows.count, channels: channels, pixels: out)
    }

    /// Means over the source cells that each new pixel covers.
    private func resizedByArea(_ columns: AreaCells, _ rows: AreaCells) -> Image {
        let line = columns.count * channels
        let exactHalf = width == 2 * columns.count && height == 2 * rows.count
        var out = [UInt8](repeating: 0, count: rows.count * line)
        for y in 0..<rows.count {
            for x in 0..<columns.count {
                for c in 0..<channels {
                    var sum: Float = 0
                    for row in rows.cells[y] {
                        var part: Float = 0
                        for column in columns.cells[x] {
                            part += Float(pixels[(row.position * width + column.position) * channels + c]) * column.weight
                        }
                        sum += part * row.weight
                    }
                    // Four pixels: OpenCV rounds halves up there, to even elsewhere.
                    let rounded = exactHalf ? (sum + 0.5).rounded(.down) : sum.rounded(.toNearestOrEven)
                    out[y * line + x * channels + c] = UInt8(min(255, max(0, rounded)))
                }
            }
        }
        return Image(width: columns.count, height: rows.count, channels: channels, pixels: out)
    }
}
