import CAnnealImage

/// How pixels are interpolated; raw values are OpenCV's and MXNet's `inter_method`.
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
    /// Resized as by OpenCV's `resize` on 8-bit images: bilinear and cubic with its fixed-point weights (11 bits).
    public func resized(width newWidth: Int, height newHeight: Int, _ interpolation: Interpolation = .bilinear) -> Image
    {
        resized(newWidth, newHeight, interpolation, from: Region(width: Double(width), height: Double(height)))
    }

    /// A part with edges that may lie inside pixels.
    struct Region: Equatable {
        var x = 0.0
        var y = 0.0
        var width: Double
        var height: Double
    }

    /// Resizes the part.
    func resized(
        _ newWidth: Int, _ newHeight: Int, _ interpolation: Interpolation, from region: Region
    ) -> Image {
        precondition(newWidth > 0 && newHeight > 0)
        let isWhole = region == Region(width: Double(width), height: Double(height))
        if newWidth == width && newHeight == height && isWhole { return self }
        let isHalf = isWhole && newWidth * 2 == width && newHeight * 2 == height
        let scaleX = 1 / (Double(newWidth) / region.width), scaleY = 1 / (Double(newHeight) / region.height)
        switch interpolation.resolved(from: (width, height), to: (newWidth, newHeight)) {
        case .nearest:
            return resizedNearest(newWidth, newHeight, scaleX, scaleY, region)
        case .cubic:
            return resizedByTaps(
                .cubic(new: newWidth, old: width, scale: scaleX, from: region.x),
                .cubic(new: newHeight, old: height, scale: scaleY, from: region.y))
        case .area where isHalf, .bilinear where isHalf:
            // For an exact half OpenCV takes the mean of four pixels, in bilinear mode too.
            return halved()
        case .area where scaleX >= 1 && scaleY >= 1:
            return resizedByArea(
                AreaCells.table(new: newWidth, old: width, scale: scaleX, from: region.x),
                AreaCells.table(new: newHeight, old: height, scale: scaleY, from: region.y))
        case .area:
            // When enlarging, OpenCV's area interpolation uses weights that keep whole source pixels in place.
            return resizedByTaps(
                .enlargingArea(new: newWidth, old: width, scale: scaleX, vertical: false),
                .enlargingArea(new: newHeight, old: height, scale: scaleY, vertical: true))
        case .bilinear, .automatic:
            return resizedByTaps(
                .bilinear(new: newWidth, old: width, scale: scaleX, from: region.x, vertical: false),
                .bilinear(new: newHeight, old: height, scale: scaleY, from: region.y, vertical: true))
        }
    }

    /// Resizes the shorter side to `side`; the other keeps the ratio, rounded down.
    public func resizedShortSide(to side: Int, _ interpolation: Interpolation = .bilinear) -> Image {
        if height > width {
            return resized(width: side, height: side * height / width, interpolation)
        }
        return resized(width: side * width / height, height: side, interpolation)
    }

    private func resizedNearest(
        _ newWidth: Int, _ newHeight: Int, _ scaleX: Double, _ scaleY: Double, _ region: Region
    ) -> Image {
        let columns = (0..<newWidth).map { min(Int(Double($0) * scaleX + region.x), width - 1) }
        var out: [UInt8] = []
        out.reserveCapacity(newWidth * newHeight * channels)
        for y in 0..<newHeight {
            let row = min(Int(Double(y) * scaleY + region.y), height - 1) * width
            for x in columns {
                let start = (row + x) * channels
                for c in 0..<channels { out.append(pixels[start + c]) }
            }
        }
        return Image(width: newWidth, height: newHeight, channels: channels, pixels: out)
    }

    /// Both directions by weighted taps: rows first into 32-bit sums, then columns, rounded once.
    private func resizedByTaps(_ columns: ResizeTaps, _ rows: ResizeTaps) -> Image {
        if columns.width == 2, rows.width == 2 { return resizedByPairs(columns, rows) }
        let sums = rowSums(columns)
        let line = columns.count * channels
        let out = [UInt8](unsafeUninitializedCapacity: rows.count * line) { out, initialized in
            sums.withUnsafeBufferPointer { sums in
                for y in 0..<rows.count {
                    let first = y * rows.width
                    let a = rows.positions[first] * line
                    let b = rows.positions[first + 1] * line
                    // OpenCV blends four rows in float32, in this order, and rounds halves to even.
                    let c = rows.positions[first + 2] * line
                    let d = rows.positions[first + 3] * line
                    let weights = (0..<4).map { Float(rows.weights[first + $0]) * 0x1p-22 }
                    for i in 0..<line {
                        var sum = Float(sums[d + i]) * weights[3]
                        sum = Float(sums[c + i]) * weights[2] + sum
                        sum = Float(sums[b + i]) * weights[1] + sum
                        sum = Float(sums[a + i]) * weights[0] + sum
                        out[y * line + i] = UInt8(min(255, max(0, sum.rounded(.toNearestOrEven))))
                    }
                }
            }
            initialized = rows.count * line
        }
        return Image(width: columns.count, height: rows.count, channels: channels, pixels: out)
    }

    /// The same for the common case of two taps in both directions.
    private func resizedByPairs(_ columns: ResizeTaps, _ rows: ResizeTaps) -> Image {
        let line = columns.count * channels, count = rows.count * line
        let columnPositions = columns.positions.map { Int32($0) }, rowPositions = rows.positions.map { Int32($0) }
        var sums = [Int16](repeating: 0, count: 2 * line + 1)
        let out = [UInt8](unsafeUninitializedCapacity: count) { out, initialized in
            anneal_image_resize_by_pairs(
                pixels, Int32(width), Int32(channels), columnPositions, columns.weights, Int32(columns.count),
                rowPositions, rows.weights, Int32(rows.count), &sums, out.baseAddress)
            initialized = count
        }
        return Image(width: columns.count, height: rows.count, channels: channels, pixels: out)
    }

    /// (height, new width, channels): each row's weighted sums.
    private func rowSums(_ columns: ResizeTaps) -> [Int32] {
        let line = columns.count * channels
        return [Int32](unsafeUninitializedCapacity: height * line) { sums, initialized in
            pixels.withUnsafeBufferPointer { source in
                for y in 0..<height {
                    for x in 0..<columns.count {
                        for c in 0..<channels {
                            var sum: Int32 = 0
                            for at in (x * columns.width)..<((x + 1) * columns.width) {
                                let pixel = source[(y * width + columns.positions[at]) * channels + c]
                                sum &+= Int32(pixel) &* columns.weights[at]
                            }
                            sums[y * line + x * channels + c] = sum
                        }
                    }
                }
            }
            initialized = height * line
        }
    }

    /// The mean of four pixels for each new one. Halves are rounded up, which OpenCV does only here.
    private func halved() -> Image {
        let new = (width: width / 2, height: height / 2), line = width * channels
        let count = new.width * new.height * channels
        let out = [UInt8](unsafeUninitializedCapacity: count) { out, initialized in
            pixels.withUnsafeBufferPointer { source in
                var to = 0
                for y in 0..<new.height {
                    for x in 0..<new.width {
                        let first = 2 * (y * line + x * channels)
                        for at in first..<(first + channels) {
                            let sum =
                                UInt16(source[at]) + UInt16(source[at + channels]) + UInt16(source[at + line])
                                + UInt16(source[at + line + channels])
                            out[to] = UInt8(truncatingIfNeeded: (sum + 2) >> 2)
                            to += 1
                        }
                    }
                }
            }
            initialized = count
        }
        return Image(width: new.width, height: new.height, channels: channels, pixels: out)
    }

    /// Means over the source area that each new pixel covers.
    private func resizedByArea(_ columns: AreaCells, _ rows: AreaCells) -> Image {
        let line = columns.count * channels
        var out = [UInt8](repeating: 0, count: rows.count * line)
        for y in 0..<rows.count {
            for x in 0..<columns.count {
                for c in 0..<channels {
                    var sum: Float = 0
                    for row in rows.cells[y] {
                        var part: Float = 0
                        for column in columns.cells[x] {
                            part +=
                                Float(pixels[(row.position * width + column.position) * channels + c]) * column.weight
                        }
                        sum += part * row.weight
                    }
                    out[y * line + x * channels + c] = UInt8(min(255, max(0, sum.rounded(.toNearestOrEven))))
                }
            }
        }
        return Image(width: columns.count, height: rows.count, channels: channels, pixels: out)
    }
}
