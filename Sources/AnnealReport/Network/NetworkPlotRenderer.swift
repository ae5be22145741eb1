import Foundation

/// Draws a network's layout on a canvas: the same code for SVG and PNG.
struct NetworkPlotRenderer {
    let width: Double
    let height: Double
    private let headHeight: Double
    private let plot: NetworkPlot
    private let graph: LayeredGraph
    private let columns: [ColumnCut.Column]
    /// Where each column's layout begins on the page.
    private var origins: [Double] = []
    private var columnOf: [Int] = []
    /// Vertices with outgoing edges.
    private let leading: Set<Int>
    private let titles: [String]
    private let subtitles: [String]

    private static let margin = 28.0
    private static let narrowest = 300.0
    private static let widestBox = 420.0
    private static let boxHeight = 34.0
    private static let pitch = 58.0
    private static let gutter = 56.0
    private static let lane = 7.0
    private static let titleFont = Canvas.Font(19, bold: true)
    private static let subtitleFont = Canvas.Font(12)
    private static let labelFont = Canvas.Font(11, bold: true)
    private static let nameFont = Canvas.Font(9)
    private static let shapeFont = Canvas.Font(9)

    /// - Throws: `AnnealError` for a network that is too large to draw.
    init(_ plot: NetworkPlot) throws {
        self.plot = plot
        // Wide enough for the text in the fonts above.
        let widths = plot.vertices.map {
            min(Self.widestBox, max(90, 7.4 * Double($0.label.count) + 18, 5.6 * Double($0.name.count) + 18))
        }
        graph = try LayeredGraph(widths: widths, edges: plot.edges)
        leading = Set(plot.edges.map(\.from))
        columns = ColumnCut(graph, pitch: Self.pitch, gutter: Self.gutter).columns
        var left = Self.margin
        for (index, column) in columns.enumerated() {
            origins.append(left - column.left)
            columnOf += column.ranks.map { _ in index }
            left += column.width + Self.gutter
        }
        // A narrow network gives a narrow picture, but its title stays readable.
        let content = left - Self.gutter + Self.margin
        width = max(content, Self.narrowest)
        for column in origins.indices { origins[column] += (width - content) / 2 }
        let ruler = try Canvas(width: 1, height: 1, format: .png(scale: 1)), room = width - 2 * Self.margin
        titles = ruler.wrapped(plot.title, Self.titleFont, room: room)
        subtitles = ruler.wrapped(plot.subtitle, Self.subtitleFont, room: room)
        headHeight = 44 + 24 * Double(titles.count) + 16 * Double(subtitles.count)
        // Room for the lanes of edges that continue in the next column.
        let lanes = columns.count > 1 ? 30.0 : 0
        height = headHeight + Double(columns.map(\.ranks.count).max() ?? 0) * Self.pitch + Self.margin + lanes
    }

    func draw(_ format: Canvas.Format) throws -> Data {
        let canvas = try Canvas(width: width, height: height, format: format)
        // One pixel more, since the canvas ends at a whole one.
        canvas.fill(Box(x: 0, y: 0, width: width + 2, height: height + 2), Palette.background)
        canvas.lines(titles, at: Spot(Self.margin, 36), pitch: 24, Self.titleFont, Palette.text)
        let below = Spot(Self.margin, 32 + 24 * Double(titles.count))
        canvas.lines(subtitles, at: below, pitch: 16, Self.subtitleFont, Palette.quiet)
        var lanes: [Int: [Int: Int]] = [:]
        for link in graph.links { draw(link, canvas, &lanes) }
        for vertex in graph.rank.indices {
            if graph.isBend(vertex) {
                canvas.line([top(vertex), bottom(vertex)], Palette.quiet, width: 1)
            } else {
                drawBox(vertex, canvas)
            }
        }
        return try canvas.finish()
    }

    // MARK: Positions on the page

    private func column(_ vertex: Int) -> Int { columnOf[graph.rank[vertex]] }

    private func top(_ vertex: Int) -> Spot {
        let column = column(vertex), row = graph.rank[vertex] - columns[column].ranks.lowerBound
        return Spot(origins[column] + graph.x[vertex], headHeight + 20 + Double(row) * Self.pitch)
    }

    private func bottom(_ vertex: Int) -> Spot {
        let top = top(vertex)
        return Spot(top.x, top.y + Self.boxHeight)
    }

    // MARK: Drawing

    private func drawBox(_ vertex: Int, _ canvas: Canvas) {
        let content = plot.vertices[vertex], top = top(vertex)
        let box = Box(
            x: top.x - (graph.right(vertex) - graph.left(vertex)) / 2, y: top.y,
            width: graph.right(vertex) - graph.left(vertex), height: Self.boxHeight)
        canvas.fill(box, content.colour)
        canvas.line(
            [
                Spot(box.x, box.y), Spot(box.right, box.y), Spot(box.right, box.bottom), Spot(box.x, box.bottom),
                Spot(box.x, box.y),
            ], content.colour.mixed(with: Palette.text, 0.35), width: 1)
        let room = box.width - 8
        let label = canvas.fitted(content.label, Self.labelFont, room: room)
        let baseline = content.name.isEmpty ? 21.0 : 15
        canvas.text(label, at: Spot(top.x, top.y + baseline), Self.labelFont, Palette.text, anchor: .middle)
        canvas.text(
            canvas.fitted(content.name, Self.nameFont, room: room), at: Spot(top.x, top.y + 27), Self.nameFont,
            Palette.text, anchor: .middle)
        if leading.contains(vertex) {
            let place = Spot(top.x + 6, box.bottom + 12), wide = canvas.width(of: content.shape, Self.shapeFont)
            canvas.fill(Box(x: place.x - 2, y: place.y - 8, width: wide + 4, height: 10), Palette.background)
            canvas.text(content.shape, at: place, Self.shapeFont, Palette.quiet)
        }
    }

    private func draw(_ link: (from: Int, to: Int), _ canvas: Canvas, _ lanes: inout [Int: [Int: Int]]) {
        let start = bottom(link.from), end = top(link.to)
        let path: [Spot]
        if column(link.from) == column(link.to) {
            path = Self.curve(start, end)
        } else {
            // Down, up through the gutter, and on at the top of the next column; the edges of each vertex in a separate
            // lane.
            let used = lanes[column(link.from)]?.count ?? 0
            let number = lanes[column(link.from)]?[link.from] ?? used
            lanes[column(link.from), default: [:]][link.from] = number
            let shift = Double(number % 5) * Self.lane
            let from = columns[column(link.from)]
            let gutter = origins[column(link.from)] + from.right + 14 + shift
            let low = start.y + 18 + shift, high = end.y - 12 - shift / 2
            path = [start, Spot(start.x, low), Spot(gutter, low), Spot(gutter, high), Spot(end.x, high), end]
        }
        canvas.line(path, Palette.quiet, width: 1)
        if !graph.isBend(link.to) {
            canvas.line([Spot(end.x - 3.5, end.y - 6), end, Spot(end.x + 3.5, end.y - 6)], Palette.quiet, width: 1)
        }
    }

    /// Leaves and arrives vertically.
    private static func curve(_ start: Spot, _ end: Spot) -> [Spot] {
        if abs(start.x - end.x) < 0.5 { return [start, end] }
        return (0...12).map { step in
            let t = Double(step) / 12, smooth = t * t * (3 - 2 * t)
            return Spot(start.x + (end.x - start.x) * smooth, start.y + (end.y - start.y) * t)
        }
    }
}
