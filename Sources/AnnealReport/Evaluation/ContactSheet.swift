import AnnealCore
import Foundation

/// Small captioned pictures in rows and columns: a PNG to look at.
public struct ContactSheet: Sendable {
    /// 8-bit pixels, row by row, three bytes each.
    public struct Picture: Sendable {
        public var rgb: [UInt8]
        public var width: Int
        public var height: Int

        /// - Precondition: `rgb.count` is 3 * width * height, and there is at least one pixel.
        public init(rgb: [UInt8], width: Int, height: Int) {
            precondition(width > 0 && height > 0 && rgb.count == 3 * width * height)
            self.rgb = rgb
            self.width = width
            self.height = height
        }
    }

    public struct Cell: Sendable {
        public var picture: Picture
        /// Lines below the picture; a line that is too wide is shortened in its middle, which keeps most names
        /// distinct.
        public var caption: [String]
        /// The image's path, below the caption; if it is too wide, its beginning is cut. Empty for no such line.
        public var path: String

        public init(_ picture: Picture, caption: [String] = [], path: String = "") {
            self.picture = picture
            self.caption = caption
            self.path = path
        }

        fileprivate var lines: [(text: String, cut: Canvas.Cut)] {
            var lines = caption.map { (text: $0, cut: Canvas.Cut.middle) }
            if !path.isEmpty { lines.append((text: path, cut: Canvas.Cut.beginning)) }
            return lines
        }
    }

    public struct Row: Sendable {
        /// Lines to the left of the pictures. If too wide, the first, the image's path, loses its beginning, the others
        /// their middle.
        public var name: [String]
        public var cells: [Cell]

        public init(name: [String] = [], cells: [Cell]) {
            self.name = name
            self.cells = cells
        }
    }

    public var title: String
    public var subtitle: String
    /// Above the columns; empty for none.
    public var columnNames: [String]
    public var rows: [Row]

    public init(title: String, subtitle: String, columnNames: [String] = [], rows: [Row]) {
        self.title = title
        self.subtitle = subtitle
        self.columnNames = columnNames
        self.rows = rows
    }

    private static let most = 1 << 26
    private static let margin = 20.0
    private static let gap = 8.0
    private static let line = 13.0
    private static let titleFont = Canvas.Font(15, bold: true)
    private static let textFont = Canvas.Font(10)
    private static let columnFont = Canvas.Font(10, bold: true)
    private static let narrowestCell = 76.0
    private static let widestName = 150.0
    private static let shortestTitle = 300.0

    /// - Throws: `AnnealError` if the sheet would have more than 67 million pixels.
    public func png() throws -> Data {
        let layout = try Layout(self)
        let scale = layout.pixels(scale: 2) <= Self.most ? 2.0 : 1
        guard layout.pixels(scale: scale) <= Self.most, max(layout.width, layout.height) * scale < 32_000 else {
            throw AnnealError(
                "contact sheet", "would have \(Int(layout.width)) x \(Int(layout.height)) pixels",
                suggestion: "show fewer images")
        }
        let canvas = try Canvas(width: layout.width, height: layout.height, format: .png(scale: scale))
        // One pixel more, since the canvas ends at a whole one.
        canvas.fill(Box(x: 0, y: 0, width: layout.width + 1, height: layout.height + 1), Palette.background)
        draw(on: canvas, layout)
        return try canvas.finish()
    }

    /// The layout, in points.
    private struct Layout {
        var titles: [String]
        var subtitles: [String]
        /// Room for the rows' names.
        var names = 0.0
        /// Of the largest picture.
        var picture = (width: 0.0, height: 0.0)
        var cell = (width: 0.0, height: 0.0)
        /// Of the first cell.
        var top = 0.0
        var width = 0.0
        var height = 0.0

        init(_ sheet: ContactSheet) throws {
            let ruler = try Canvas(width: 1, height: 1, format: .png(scale: 1))
            let cells = sheet.rows.flatMap(\.cells)
            for cell in cells {
                let size = ContactSheet.size(cell.picture)
                picture = (max(picture.width, size.width), max(picture.height, size.height))
            }
            let captions = cells.map(\.lines.count).max() ?? 0
            cell.width = max(picture.width, ContactSheet.narrowestCell) + ContactSheet.gap
            let text = captions == 0 ? 0 : Double(captions) * ContactSheet.line + 4
            let nameLines = Double(sheet.rows.map(\.name.count).max() ?? 0) * ContactSheet.line
            cell.height = max(picture.height + text, nameLines) + ContactSheet.gap
            let widest = sheet.rows.flatMap(\.name).map { ruler.width(of: $0, ContactSheet.textFont) }.max()
            names = widest.map { min($0.rounded(.up), ContactSheet.widestName) + 12 } ?? 0
            let columns = Double(sheet.rows.map(\.cells.count).max() ?? 0)
            width = max(ContactSheet.shortestTitle, names + columns * cell.width) + 2 * ContactSheet.margin
            let room = width - 2 * ContactSheet.margin
            titles = ruler.wrapped(sheet.title, ContactSheet.titleFont, room: room)
            subtitles = ruler.wrapped(sheet.subtitle, ContactSheet.textFont, room: room)
            top = ContactSheet.margin + 19 * Double(titles.count) + ContactSheet.line * Double(subtitles.count)
            top += sheet.columnNames.isEmpty ? 10 : 26
            height = top + Double(sheet.rows.count) * cell.height + ContactSheet.margin - ContactSheet.gap
        }

        func pixels(scale: Double) -> Int { Int(width * scale) * Int(height * scale) }
    }

    /// Small pictures are enlarged by an integer factor to about 96 points, with two pixels each.
    private static func size(_ picture: Picture) -> (width: Double, height: Double) {
        let factor = Double(max(1, 192 / max(picture.width, picture.height))) / 2
        return (factor * Double(picture.width), factor * Double(picture.height))
    }

    private func draw(on canvas: Canvas, _ layout: Layout) {
        canvas.lines(
            layout.titles, at: Spot(Self.margin, Self.margin + 14), pitch: 19, Self.titleFont, Palette.text)
        let below = Spot(Self.margin, Self.margin + 19 * Double(layout.titles.count) + 10)
        canvas.lines(layout.subtitles, at: below, pitch: Self.line, Self.textFont, Palette.quiet)
        let left = Self.margin + layout.names, room = layout.cell.width - Self.gap
        for (column, name) in columnNames.enumerated() {
            let spot = Spot(left + Double(column) * layout.cell.width, layout.top - 7)
            canvas.text(canvas.fitted(name, Self.columnFont, room: room), at: spot, Self.columnFont, Palette.text)
        }
        for (index, row) in rows.enumerated() {
            let top = layout.top + Double(index) * layout.cell.height
            for (line, text) in row.name.enumerated() {
                let fitted = canvas.fitted(
                    text, Self.textFont, room: layout.names - 12, losing: line == 0 ? .beginning : .middle)
                let spot = Spot(Self.margin, top + 10 + Double(line) * Self.line)
                canvas.text(fitted, at: spot, Self.textFont, line == 0 ? Palette.text : Palette.quiet)
            }
            for (column, cell) in row.cells.enumerated() {
                let x = left + Double(column) * layout.cell.width, size = Self.size(cell.picture)
                canvas.image(
                    cell.picture.rgb, columns: cell.picture.width, rows: cell.picture.height,
                    in: Box(x: x, y: top, width: size.width, height: size.height))
                for (number, line) in cell.lines.enumerated() {
                    let spot = Spot(x, top + layout.picture.height + 12 + Double(number) * Self.line)
                    let fitted = canvas.fitted(line.text, Self.textFont, room: room, losing: line.cut)
                    canvas.text(fitted, at: spot, Self.textFont, Palette.text)
                }
            }
        }
    }
}
