import Foundation

/// A figure: panels that share the horizontal axis, one below the other.
///
/// A value that says what to show; `svg()` and `png()` draw it. Values that are not finite leave gaps.
public struct Chart: Sendable {
    public var title: String
    /// A line below the title, e.g. the data set and the command.
    public var subtitle: String?
    /// The unit of the shared axis.
    public var xLabel: String
    public var xScale: XScale
    public var panels: [Panel]
    /// In points; the height follows from the panels.
    public var width: Double

    public init(
        title: String, subtitle: String? = nil, xLabel: String = "epoch", xScale: XScale = .counting, panels: [Panel],
        width: Double = 900
    ) {
        self.title = title
        self.subtitle = subtitle
        self.xLabel = xLabel
        self.xScale = xScale
        self.panels = panels
        self.width = width
    }

    /// One quantity and its curves.
    public struct Panel: Sendable {
        public var title: String
        /// Shown to the right of the title, e.g. `best validation 0.9123, epoch 57`.
        public var note: String?
        public var series: [Series]
        public var scale: Scale
        /// The possible range of the values: the axis stays within it, e.g. 0…1 for an accuracy.
        public var limits: ClosedRange<Double>?
        public var height: Double

        public init(
            title: String, note: String? = nil, series: [Series], scale: Scale = .linear,
            limits: ClosedRange<Double>? = nil, height: Double = 210
        ) {
            self.title = title
            self.note = note
            self.series = series
            self.scale = scale
            self.limits = limits
            self.height = height
        }
    }

    /// The shared axis.
    public enum XScale: Sendable, Equatable {
        /// Linear, with marks at whole numbers.
        case counting
        /// Marks at powers of ten; values that are not positive have no position.
        case logarithmic
    }

    public enum Scale: Sendable, Equatable {
        case linear
        /// Values that are not positive are gaps.
        case logarithmic
        /// Logarithmic when all values are positive and the largest is at least `ratio` times the smallest.
        case automatic(ratio: Double)
    }

    /// A curve. Several runs in one panel are several series.
    public struct Series: Sendable {
        public enum Style: Sendable, Equatable {
            case line
            case dashed
            /// Constant around each point: a rate that holds for an epoch.
            case step
            /// Thin and pale, without a label at its end: raw data with another curve as its average.
            case background
        }

        public var label: String
        public var points: [Point]
        public var style: Style
        /// nil: the palette's colour for the series' index in its panel.
        public var colour: Colour?
        /// A point to mark with a ring, e.g. the best.
        public var marked: Point?
        /// The format of a value in the label at the curve's end.
        public var digits: Int?

        public init(
            label: String, points: [Point], style: Style = .line, colour: Colour? = nil, marked: Point? = nil,
            digits: Int? = 4
        ) {
            self.label = label
            self.points = points
            self.style = style
            self.colour = colour
            self.marked = marked
            self.digits = digits
        }
    }

    public struct Point: Sendable, Equatable {
        public var x: Double
        public var y: Double

        public init(_ x: Double, _ y: Double) {
            self.x = x
            self.y = y
        }
    }

    /// As an SVG. Text is drawn as outlines, so that it looks the same without the font.
    public func svg() throws -> Data { try draw(.svg) }

    /// As a PDF of one page, with its fonts.
    public func pdf() throws -> Data { try draw(.pdf) }

    /// As a PNG with `scale` pixels per point.
    public func png(scale: Double = 2) throws -> Data { try draw(.png(scale: scale)) }

    private func draw(_ format: Canvas.Format) throws -> Data {
        let canvas = try Canvas(width: width, height: ChartRenderer.height(of: self), format: format)
        ChartRenderer(chart: self, canvas: canvas).draw()
        return try canvas.finish()
    }
}
