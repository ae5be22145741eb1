/// The content of a border.
public enum PadMode: String, Sendable, Codable, CaseIterable {
    /// One colour.
    case constant
    /// The image mirrored at its outermost pixels, which are not repeated: `3 2 | 1 2 3 | 2 1`.
    case reflect
}

extension Image {
    /// A border of `border` pixels on all sides, filled with `value`.
    public func padded(_ border: Int, with value: UInt8) -> Image {
        guard border > 0 else { return self }
        let newWidth = width + 2 * border, line = width * channels, newLine = newWidth * channels
        let first = border * (newLine + channels)
        let out = [UInt8](filledBy: newLine * (height + 2 * border)) { out in
            out.update(repeating: value)
            for row in 0..<height { out.copy(line, of: pixels, from: row * line, to: first + row * newLine) }
        }
        return Image(width: newWidth, height: height + 2 * border, channels: channels, pixels: out)
    }

    /// A border of `border` pixels on all sides that continues the image by reflection.
    public func paddedByReflection(_ border: Int) -> Image {
        guard border > 0 else { return self }
        let newWidth = width + 2 * border
        let columns = (0..<newWidth).map { Self.reflected($0 - border, width) }
        var out: [UInt8] = []
        out.reserveCapacity(newWidth * (height + 2 * border) * channels)
        for y in -border..<(height + border) {
            let row = Self.reflected(y, height) * width
            for column in columns {
                let start = (row + column) * channels
                for c in 0..<channels { out.append(pixels[start + c]) }
            }
        }
        return Image(width: newWidth, height: height + 2 * border, channels: channels, pixels: out)
    }

    /// The position in 0 ..< count that a position outside reflects to; borders wider than the image reflect
    /// repeatedly.
    private static func reflected(_ position: Int, _ count: Int) -> Int {
        guard count > 1 else { return 0 }
        let period = 2 * (count - 1)
        let place = ((position % period) + period) % period
        return min(place, period - place)
    }
}
