import AnnealTrain
import Foundation

/// A picture of a confusion matrix: one row per true class, one column per predicted class, coloured by the fraction of
/// the row.
///
/// Cells have numbers for up to 25 classes, names for up to 60; more classes give a heat map with labels along its
/// sides, in which from 1,001 classes on a cell covers several neighbouring classes.
public struct ConfusionChart: Sendable {
    public var title: String
    public var subtitle: String?
    public var matrix: ConfusionMatrix
    /// By label.
    public var classNames: [String]
    /// Cells show the fraction of the row's images instead of their number.
    public var isNormalized: Bool

    public init(
        title: String, subtitle: String? = nil, matrix: ConfusionMatrix, classNames: [String],
        isNormalized: Bool = false
    ) {
        self.title = title
        self.subtitle = subtitle
        self.matrix = matrix
        self.classNames = classNames
        self.isNormalized = isNormalized
    }

    /// As an SVG. Text is drawn as outlines.
    public func svg() throws -> Data { try draw(.svg) }

    /// As a PNG with `scale` pixels per point.
    public func png(scale: Double = 2) throws -> Data { try draw(.png(scale: scale)) }

    private static let numbered = 25
    private static let named = 60
    private static let most = 1000

    private static let empty = Colour(0xF6F7F8)
    private static let titleFont = Canvas.Font(19, bold: true)
    private static let subtitleFont = Canvas.Font(12)
    private static let axisFont = Canvas.Font(12, bold: true)
    private static let margin = 28.0
    private static let longestName = 150.0
    private static let narrowest = 360.0
    private static let legend = "Colour: share of the row. Blue is right, orange is wrong."

    private func draw(_ format: Canvas.Format) throws -> Data {
        let classes = matrix.classes
        // Classes per cell, and cells per row.
        let bin = (classes + Self.most - 1) / Self.most
        let cells = (classes + bin - 1) / bin
        let side: Double =
            classes <= Self.numbered
            ? min(84, max(26, (560 / Double(classes)).rounded()))
            : Double(max(classes <= Self.named ? 12 : 1, 720 / cells))
        let nameFont = Canvas.Font(classes <= Self.numbered ? 12 : 9)
        let ruler = try Canvas(width: 1, height: 1, format: .png(scale: 1))
        let names = nameRoom(ruler, nameFont)
        let left = Self.margin + 20 + names
        // Few classes give a small picture, but its title stays readable.
        let width = max(Self.narrowest, left + side * Double(cells) + Self.margin)
        let room = width - 2 * Self.margin
        let titles = ruler.wrapped(title, Self.titleFont, room: room)
        let subtitles = subtitle.map { ruler.wrapped($0, Self.subtitleFont, room: room) } ?? []
        let legend = ruler.wrapped(Self.legend, Self.subtitleFont, room: room)
        let top = 40 + 24 * Double(titles.count) + 20 * Double(subtitles.count)
        let unused = width - (left + side * Double(cells) + Self.margin)
        let box = Box(x: left + unused / 2, y: top, width: side * Double(cells), height: side * Double(cells))
        let height = box.bottom + names + 42 + 16 * Double(legend.count)

        let canvas = try Canvas(width: width, height: height, format: format)
        canvas.fill(Box(x: 0, y: 0, width: width + 1, height: height + 1), Palette.background)
        canvas.lines(titles, at: Spot(Self.margin, 42), pitch: 24, Self.titleFont, Palette.text)
        let below = Spot(Self.margin, 40 + 24 * Double(titles.count))
        canvas.lines(subtitles, at: below, pitch: 20, Self.subtitleFont, Palette.quiet)
        drawCells(canvas, box, side: side, cells: cells, bin: bin)
        drawFrame(canvas, box)
        drawNames(canvas, box, step: side / Double(bin), nameFont, room: names)
        let end = Spot(Self.margin, box.bottom + names + 44)
        canvas.lines(legend, at: end, pitch: 16, Self.subtitleFont, Palette.quiet)
        return try canvas.finish()
    }

    /// Correct ones in blue, wrong ones in vermilion. The square root makes rare confusions visible.
    private func colour(_ count: Int, of images: Int, right: Bool) -> Colour {
        guard count > 0, images > 0 else { return Self.empty }
        let full = right ? Palette.blue : Palette.vermilion
        return Palette.background.mixed(with: full, 0.08 + 0.92 * (Double(count) / Double(images)).squareRoot())
    }

    /// With empty cells drawn if each cell is one class with a name, without them in a heat map.
    private func drawCells(_ canvas: Canvas, _ box: Box, side: Double, cells: Int, bin: Int) {
        var counts: [Int: Int] = [:]
        var images = Array(repeating: 0, count: cells)
        for (label, count) in matrix.images.enumerated() { images[label / bin] += count }
        for pair in matrix.pairs { counts[pair.label / bin * cells + pair.predicted / bin, default: 0] += pair.count }
        let isMap = matrix.classes > Self.named
        let gap = isMap ? 0 : matrix.classes > Self.numbered ? 0.5 : 1
        func text(_ count: Int, _ images: Int) -> String {
            guard isNormalized else { return String(count) }
            return images > 0 ? LogGrammar.fixed(Double(count) / Double(images), 2) : "–"
        }
        let longest = isNormalized ? 4 : String(counts.values.max() ?? 0).count
        let font = Canvas.Font(min(13, (side - 6) / (0.64 * Double(longest))))
        if isMap { canvas.fill(box, Self.empty) }
        for cell in isMap ? counts.keys.sorted() : Array(0..<(cells * cells)) {
            let row = cell / cells, column = cell % cells
            let count = counts[cell] ?? 0
            let square = Box(
                x: box.x + side * Double(column), y: box.y + side * Double(row), width: side - gap, height: side - gap)
            canvas.fill(square, colour(count, of: images[row], right: row == column))
            guard matrix.classes <= Self.numbered, count > 0 || row == column else { continue }
            let isDark = Double(count) > 0.45 * Double(images[row])
            let middle = Spot(square.x + square.width / 2, square.y + square.height / 2 + font.size * 0.36)
            canvas.text(
                text(count, images[row]), at: middle, font, isDark ? Palette.background : Palette.text, anchor: .middle)
        }
    }

    private func drawFrame(_ canvas: Canvas, _ box: Box) {
        let corners = [
            Spot(box.x, box.y), Spot(box.right, box.y), Spot(box.right, box.bottom), Spot(box.x, box.bottom),
            Spot(box.x, box.y),
        ]
        canvas.line(corners, Palette.axis, width: 1)
    }

    /// Names of the classes, or labels at regular steps, at the left and below; then the titles of the axes.
    private func drawNames(_ canvas: Canvas, _ box: Box, step: Double, _ font: Canvas.Font, room: Double) {
        for label in shownLabels {
            let text = canvas.fitted(name(label), font, room: room - 8, losing: .middle)
            let middle = step * (Double(label) + 0.5)
            let down = font.size * 0.36
            canvas.text(text, at: Spot(box.x - 6, box.y + middle + down), font, Palette.text, anchor: .end)
            canvas.turned(at: Spot(box.x + middle + down, box.bottom + 6)) {
                canvas.text(text, at: Spot(0, 0), font, Palette.text, anchor: .end)
            }
        }
        canvas.turned(at: Spot(box.x - room - 14, box.y + box.height / 2)) {
            canvas.text("true class", at: Spot(0, 0), Self.axisFont, Palette.quiet, anchor: .middle)
        }
        canvas.text(
            "predicted class", at: Spot(box.x + box.width / 2, box.bottom + room + 22), Self.axisFont, Palette.quiet,
            anchor: .middle)
    }

    /// All if there is room for names, else round ones.
    private var shownLabels: [Int] {
        guard matrix.classes > Self.named else { return Array(0..<matrix.classes) }
        return Ticks.integers(0...Double(matrix.classes - 1), count: 12).values.map { Int($0) }
    }

    private func name(_ label: Int) -> String { matrix.classes <= Self.named ? classNames[label] : String(label) }

    private func nameRoom(_ ruler: Canvas, _ font: Canvas.Font) -> Double {
        let widest = shownLabels.map { ruler.width(of: name($0), font) }.max() ?? 0
        return min(widest.rounded(.up), Self.longestName) + 10
    }
}
