/// (x, y) → (xx x + xy y + x, yx x + yy y + y), in pixels, with integers at pixel centres.
struct AffineMap {
    var xx = 1.0, xy = 0.0, x = 0.0
    var yx = 0.0, yy = 1.0, y = 0.0

    /// The inverse map, computed as in OpenCV.
    /// - Precondition: the map is invertible; else the result is the zero map.
    var inverse: AffineMap {
        let determinant = xx * yy - xy * yx
        let d = determinant != 0 ? 1 / determinant : 0
        var result = AffineMap(xx: yy * d, xy: -xy * d, yx: -yx * d, yy: xx * d)
        result.x = -result.xx * x - result.xy * y
        result.y = -result.yx * x - result.yy * y
        return result
    }
}

extension Image {
    /// An image with pixel (x, y) taken from this image at `source` of (x, y), and `fill` outside, as in OpenCV's
    /// `warpAffine` on 8-bit images: positions are rounded to 1/32 of a pixel.
    ///
    /// - Parameter interpolation: nearest or bilinear; bilinear is used for the others.
    func warped(
        by source: AffineMap, width newWidth: Int, height newHeight: Int, _ interpolation: Interpolation, fill: UInt8
    ) -> Image {
        let nearest = interpolation == .nearest
        // 10 fractional bits, of which 5 are kept for the weights.
        func fixed(_ value: Double) -> Int {
            Int(min(max((value * 1024).rounded(.toNearestOrEven), -0x1p50), 0x1p50))
        }
        let columns = (0..<newWidth).map { (x: fixed(source.xx * Double($0)), y: fixed(source.yx * Double($0))) }
        let delta = nearest ? 512 : 16
        let width = width, height = height, channels = channels
        let count = newWidth * newHeight * channels
        let out = [UInt8](unsafeUninitializedCapacity: count) { out, initialized in
            pixels.withUnsafeBufferPointer { pixels in
                func level(_ x: Int, _ y: Int, _ channel: Int) -> Int {
                    guard x >= 0, x < width, y >= 0, y < height else { return Int(fill) }
                    return Int(pixels[(y * width + x) * channels + channel])
                }
                var at = 0
                for row in 0..<newHeight {
                    let startX = fixed(source.xy * Double(row) + source.x) + delta
                    let startY = fixed(source.yy * Double(row) + source.y) + delta
                    for column in columns {
                        let placeX = startX + column.x, placeY = startY + column.y
                        let x = placeX >> 10, y = placeY >> 10
                        let right = nearest ? 0 : (placeX >> 5) & 31, below = nearest ? 0 : (placeY >> 5) & 31
                        for c in 0..<channels {
                            var sum = level(x, y, c) * (32 - right) * (32 - below)
                            if right > 0 { sum += level(x + 1, y, c) * right * (32 - below) }
                            if below > 0 {
                                sum += level(x, y + 1, c) * (32 - right) * below
                                sum += level(x + 1, y + 1, c) * right * below
                            }
                            out[at] = UInt8((sum + 512) >> 10)
                            at += 1
                        }
                    }
                }
            }
            initialized = count
        }
        return Image(width: newWidth, height: newHeight, channels: channels, pixels: out)
    }
}
