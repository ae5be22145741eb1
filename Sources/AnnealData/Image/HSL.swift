extension Image {
    /// Shifts hue (0 ... 180), saturation and lightness (0 ... 255) of RGB pixels in OpenCV's 8-bit HLS; each is
    /// clamped to its range, the hue too, as in MXNet.
    package mutating func shiftHSL(h: Int, s: Int, l: Int) {
        for start in stride(from: 0, to: pixels.count, by: 3) {
            var pixel = HSL(red: pixels[start], green: pixels[start + 1], blue: pixels[start + 2])
            pixel.h = min(max(pixel.h + h, 0), 180)
            pixel.s = min(max(pixel.s + s, 0), 255)
            pixel.l = min(max(pixel.l + l, 0), 255)
            (pixels[start], pixels[start + 1], pixels[start + 2]) = pixel.rgb
        }
    }
}

/// A colour in OpenCV's 8-bit HLS: the hue in steps of 2 degrees, the others from 0 to 255.
private struct HSL {
    var h: Int
    var s: Int
    var l: Int

    init(red: UInt8, green: UInt8, blue: UInt8) {
        let scale: Float = 1 / 255
        let r = Float(red) * scale, g = Float(green) * scale, b = Float(blue) * scale
        let most = max(r, g, b), least = min(r, g, b)
        let range = most - least, lightness = (most + least) * 0.5
        var hue: Float = 0, saturation: Float = 0
        if range > .ulpOfOne {
            saturation = lightness < 0.5 ? range / (most + least) : range / (2 - most - least)
            let sixth = 60 / range
            if most == r {
                hue = (g - b) * sixth
            } else if most == g {
                hue = (b - r) * sixth + 120
            } else {
                hue = (r - g) * sixth + 240
            }
            if hue < 0 { hue += 360 }
        }
        h = Int(UInt8.rounded(hue * 0.5))
        s = Int(UInt8.rounded(saturation * 255))
        l = Int(UInt8.rounded(lightness * 255))
    }

    var rgb: (UInt8, UInt8, UInt8) {
        let lightness = Float(l) * (1 / 255), saturation = Float(s) * (1 / 255)
        guard saturation != 0 else {
            let gray = UInt8.rounded(lightness * 255)
            return (gray, gray, gray)
        }
        let most = lightness <= 0.5 ? lightness * (1 + saturation) : lightness + saturation - lightness * saturation
        let least = 2 * lightness - most
        var place = Float(h) * (6.0 / 180)
        if place >= 6 { place -= 6 }
        let part = place - place.rounded(.down)
        let falling = least + (most - least) * (1 - part), rising = least + (most - least) * part
        let (r, g, b): (Float, Float, Float) =
            switch Int(place) {
            case 0: (most, rising, least)
            case 1: (falling, most, least)
            case 2: (least, most, rising)
            case 3: (least, falling, most)
            case 4: (rising, least, most)
            default: (most, least, falling)
            }
        return (.rounded(r * 255), .rounded(g * 255), .rounded(b * 255))
    }
}
