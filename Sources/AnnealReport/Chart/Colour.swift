/// A colour of a chart; components are 0…1.
public struct Colour: Sendable, Equatable {
    public var red: Double
    public var green: Double
    public var blue: Double
    public var alpha: Double

    public init(red: Double, green: Double, blue: Double, alpha: Double = 1) {
        self.red = red
        self.green = green
        self.blue = blue
        self.alpha = alpha
    }

    /// `0x0072B2`.
    public init(_ rgb: Int, alpha: Double = 1) {
        self.init(
            red: Double(rgb >> 16 & 255) / 255, green: Double(rgb >> 8 & 255) / 255, blue: Double(rgb & 255) / 255,
            alpha: alpha)
    }

    /// Mixed with another: `part` 0 is this colour, 1 the other.
    public func mixed(with other: Colour, _ part: Double) -> Colour {
        Colour(
            red: red + (other.red - red) * part, green: green + (other.green - green) * part,
            blue: blue + (other.blue - blue) * part, alpha: alpha + (other.alpha - alpha) * part)
    }
}

package struct Spot: Sendable, Equatable {
    package var x: Double
    package var y: Double

    package init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }
}

package struct Box: Sendable, Equatable {
    package var x: Double
    package var y: Double
    package var width: Double
    package var height: Double

    package init(x: Double, y: Double, width: Double, height: Double) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    package var right: Double { x + width }
    package var bottom: Double { y + height }
}

/// Colours that the colour-blind can tell apart: Okabe and Ito 2008, <https://jfly.uni-koeln.de/color/>, without the
/// yellow, which does not show on white.
public enum Palette {
    public static let blue = Colour(0x0072B2)
    public static let vermilion = Colour(0xD55E00)
    public static let green = Colour(0x009E73)
    public static let purple = Colour(0xCC79A7)
    public static let sky = Colour(0x56B4E9)
    public static let orange = Colour(0xE69F00)
    public static let gray = Colour(0x5F6670)

    public static let all = [blue, vermilion, green, purple, sky, orange, gray]

    static let background = Colour(0xFFFFFF)
    static let text = Colour(0x1F2328)
    static let quiet = Colour(0x636B74)
    static let grid = Colour(0xE8EAED)
    static let axis = Colour(0xB4BAC1)
}
