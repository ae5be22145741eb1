import AnnealCore
import CAnnealCairo
import Foundation

/// A drawing surface, in points from the top left, that becomes an SVG, a PDF or a PNG. The only file that uses Cairo.
///
/// Cairo keeps the first error of a surface and ignores what follows, so errors are checked in `finish`.
package final class Canvas {
    package enum Format: Sendable, Equatable {
        case svg
        case pdf
        /// Pixels per point.
        case png(scale: Double)
    }

    package enum Anchor: Sendable { case start, middle, end }

    package struct Font: Sendable {
        package var size: Double
        package var bold: Bool

        package init(_ size: Double, bold: Bool = false) {
            self.size = size
            self.bold = bold
        }
    }

    /// Receives Cairo's bytes. A class, so that C can hold a pointer to it.
    private final class Sink { var data = Data() }

    private let cairo: libcairo
    private let format: Format
    private let surface: OpaquePointer
    private let context: OpaquePointer
    private let sink = Sink()

    /// - Throws: `AnnealError` when Cairo is not there, or cannot create a surface of this size.
    package init(width: Double, height: Double, format: Format) throws {
        let cairo = try Self.library()
        self.cairo = cairo
        self.format = format
        let made: OpaquePointer?
        switch format {
        case .svg:
            made = cairo.svg_surface_create_for_stream(
                Self.receive, Unmanaged.passUnretained(sink).toOpaque(), width, height)
        case .pdf:
            made = cairo.pdf_surface_create_for_stream(
                Self.receive, Unmanaged.passUnretained(sink).toOpaque(), width, height)
        case .png(let scale):
            guard width * scale < 32_000, height * scale < 32_000 else {
                throw AnnealError(
                    "chart", "\(width) x \(height) at scale \(scale) is larger than Cairo's 32,767 pixels")
            }
            made = cairo.image_surface_create(
                CAIRO_FORMAT_RGB24, Int32((width * scale).rounded(.up)), Int32((height * scale).rounded(.up)))
        }
        // Neither call returns null: out of memory is a surface in an error state. Swift cannot know that.
        guard let made, let drawing = cairo.create(made) else {
            throw AnnealError("chart", "Cairo made no surface", code: .internalDefect)
        }
        surface = made
        context = drawing
        try check(cairo.surface_status(surface), "making a surface of \(width) x \(height)")
        try check(cairo.status(context), "making a context")
        // Browsers draw a pt a third larger than a px.
        if format == .svg { cairo.svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX) }
        if case .png(let scale) = format { cairo.scale(context, scale, scale) }
        // Text widths that do not depend on the pixels, so that SVG and PNG are laid out alike.
        let options = cairo.font_options_create()
        cairo.font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
        cairo.font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
        cairo.font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
        cairo.set_font_options(context, options)
        cairo.font_options_destroy(options)
        cairo.set_line_join(context, CAIRO_LINE_JOIN_ROUND)
    }

    deinit {
        cairo.destroy(context)
        cairo.surface_finish(surface)
        cairo.surface_destroy(surface)
    }

    /// The file's bytes. Nothing can be drawn afterwards.
    package func finish() throws -> Data {
        try check(cairo.status(context), "drawing")
        if case .png = format {
            cairo.surface_flush(surface)
            let pointer = Unmanaged.passUnretained(sink).toOpaque()
            try check(cairo.surface_write_to_png_stream(surface, Self.receive, pointer), "writing the PNG")
        } else {
            cairo.surface_finish(surface)
        }
        try check(cairo.surface_status(surface), "writing the file")
        return format == .svg ? Self.withoutCounter(sink.data) : sink.data
    }

    /// Cairo numbers the surfaces of a process and writes the number as the id of a group, which nothing refers to:
    /// without it the same chart gives the same file.
    private static func withoutCounter(_ svg: Data) -> Data {
        let head = Data("<g id=\"surface".utf8)
        guard let start = svg.range(of: head),
            let end = svg[start.upperBound...].firstIndex(where: { !(48...57).contains($0) }),
            svg[end...].starts(with: "\">".utf8)
        else { return svg }
        return svg[..<start.lowerBound] + Data("<g".utf8) + svg[(end + 1)...]
    }

    private static let receive: cairo_write_func_t = { closure, bytes, count in
        guard let closure, let bytes else { return CAIRO_STATUS_WRITE_ERROR }
        Unmanaged<Sink>.fromOpaque(closure).takeUnretainedValue().data.append(bytes, count: Int(count))
        return CAIRO_STATUS_SUCCESS
    }

    /// - Throws: if Cairo is not there.
    package static func library() throws -> libcairo {
        guard let library = anneal_cairo() else {
            throw AnnealError(
                "chart", "Cairo is not there, which draws it", suggestion: "install libcairo2", code: .notFound)
        }
        return library.pointee
    }

    private func check(_ status: cairo_status_t, _ action: String) throws {
        guard status != CAIRO_STATUS_SUCCESS else { return }
        let reason = cairo.status_to_string(status).map { String(cString: $0) } ?? "error \(status.rawValue)"
        throw AnnealError("chart", "Cairo failed at \(action): \(reason)", code: .internalDefect)
    }

    // MARK: Drawing

    package func fill(_ box: Box, _ colour: Colour) {
        cairo.rectangle(context, box.x, box.y, box.width, box.height)
        set(colour)
        cairo.fill(context)
    }

    package func line(_ spots: [Spot], _ colour: Colour, width: Double, dash: [Double] = [], round: Bool = true) {
        guard let first = spots.first, spots.count > 1 else { return }
        cairo.move_to(context, first.x, first.y)
        for spot in spots.dropFirst() { cairo.line_to(context, spot.x, spot.y) }
        cairo.set_line_width(context, width)
        cairo.set_line_cap(context, round && dash.isEmpty ? CAIRO_LINE_CAP_ROUND : CAIRO_LINE_CAP_BUTT)
        cairo.set_dash(context, dash, Int32(dash.count), 0)
        set(colour)
        cairo.stroke(context)
    }

    /// The area between a line and a base, lightly filled.
    package func area(_ spots: [Spot], base: Double, _ colour: Colour) {
        guard let first = spots.first, let last = spots.last, spots.count > 1 else { return }
        cairo.move_to(context, first.x, base)
        for spot in spots { cairo.line_to(context, spot.x, spot.y) }
        cairo.line_to(context, last.x, base)
        cairo.close_path(context)
        set(colour)
        cairo.fill(context)
    }

    /// A disc, or a ring of `ring` points around a white middle.
    package func disc(_ centre: Spot, radius: Double, _ colour: Colour, ring: Double = 0) {
        cairo.new_path(context)
        cairo.arc(context, centre.x, centre.y, radius, 0, 2 * .pi)
        set(ring > 0 ? Colour(0xFFFFFF) : colour)
        guard ring > 0 else { return cairo.fill(context) }
        cairo.fill_preserve(context)
        cairo.set_line_width(context, ring)
        cairo.set_dash(context, [], 0, 0)
        set(colour)
        cairo.stroke(context)
    }

    /// Draws an 8-bit picture with hard pixel edges: `rgb` has three bytes per pixel, row by row.
    /// - Precondition: `rgb.count` is 3 * columns * rows.
    package func image(_ rgb: [UInt8], columns: Int, rows: Int, in box: Box) {
        precondition(columns > 0 && rows > 0 && rgb.count == 3 * columns * rows)
        guard let picture = cairo.image_surface_create(CAIRO_FORMAT_RGB24, Int32(columns), Int32(rows)) else { return }
        defer { cairo.surface_destroy(picture) }
        guard let bytes = cairo.image_surface_get_data(picture) else { return }
        let stride = Int(cairo.image_surface_get_stride(picture))
        for y in 0..<rows {
            for x in 0..<columns {
                // Four bytes per pixel; the highest is unused.
                let from = 3 * (y * columns + x)
                let pixel = UInt32(rgb[from]) << 16 | UInt32(rgb[from + 1]) << 8 | UInt32(rgb[from + 2])
                UnsafeMutableRawPointer(bytes + y * stride + 4 * x).storeBytes(of: pixel, as: UInt32.self)
            }
        }
        cairo.surface_mark_dirty(picture)
        cairo.save(context)
        cairo.translate(context, box.x, box.y)
        cairo.scale(context, box.width / Double(columns), box.height / Double(rows))
        cairo.set_source_surface(context, picture, 0, 0)
        cairo.pattern_set_filter(cairo.get_source(context), CAIRO_FILTER_NEAREST)
        cairo.paint(context)
        cairo.restore(context)
    }

    /// Draws with `spot` as the origin and the page rotated by a quarter turn to the left: text runs upwards.
    package func turned(at spot: Spot, _ body: () -> Void) {
        cairo.save(context)
        cairo.translate(context, spot.x, spot.y)
        cairo.rotate(context, -.pi / 2)
        body()
        cairo.restore(context)
    }

    /// Draws with clipping to a box.
    package func clipped(to box: Box, _ body: () -> Void) {
        cairo.save(context)
        cairo.rectangle(context, box.x, box.y, box.width, box.height)
        cairo.clip(context)
        body()
        cairo.restore(context)
    }

    // MARK: Text

    /// More than any line of a page: names from outside may have any length, and Cairo's time grows with it.
    private static let longestText = 1000

    /// The beginning of a text, as much as could be visible on a page.
    private static func bounded(_ text: String) -> String {
        let text = text.printable(), scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: longestText, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return text }
        return String(scalars[..<end]) + "…"
    }

    /// Text with its baseline at `spot`.
    package func text(_ text: String, at spot: Spot, _ font: Font, _ colour: Colour, anchor: Anchor = .start) {
        use(font)
        let text = Self.bounded(text)
        let width = advance(text)
        let x = anchor == .start ? spot.x : anchor == .middle ? spot.x - width / 2 : spot.x - width
        cairo.move_to(context, x, spot.y)
        set(colour)
        cairo.show_text(context, text)
    }

    /// Lines of text, `pitch` apart, the first with its baseline at `spot`.
    package func lines(_ lines: [String], at spot: Spot, pitch: Double, _ font: Font, _ colour: Colour) {
        for (index, line) in lines.enumerated() {
            text(line, at: Spot(spot.x, spot.y + pitch * Double(index)), font, colour)
        }
    }

    package func width(of text: String, _ font: Font) -> Double {
        use(font)
        return advance(Self.bounded(text))
    }

    /// Which part of a text is removed if it is too wide.
    package enum Cut: Sendable { case beginning, middle, end }

    /// The text, with a part replaced by `…` if it is wider than `room`.
    package func fitted(_ text: String, _ font: Font, room: Double, losing cut: Cut = .end) -> String {
        let text = Self.bounded(text)
        use(font)
        if advance(text) <= room { return text }
        // As many letters as fit, by bisection.
        let characters = Array(text)
        func shortened(_ kept: Int) -> String {
            switch cut {
            case .beginning: return "…" + String(characters.suffix(kept))
            case .middle:
                return String(characters.prefix((kept + 1) / 2)) + "…" + String(characters.suffix(kept / 2))
            case .end: return String(characters.prefix(kept)) + "…"
            }
        }
        var fits = 0, tooLong = characters.count
        while tooLong - fits > 1 {
            let middle = (fits + tooLong) / 2
            if advance(shortened(middle)) <= room { fits = middle } else { tooLong = middle }
        }
        return shortened(fits)
    }

    /// The words in lines that are at most `room` wide; a longer word is truncated.
    package func wrapped(_ text: String, _ font: Font, room: Double) -> [String] {
        var lines: [String] = []
        for word in Self.bounded(text).split(separator: " ") {
            let longer = lines.last.map { "\($0) \(word)" }
            if let longer, width(of: longer, font) <= room {
                lines[lines.count - 1] = longer
            } else {
                lines.append(fitted(String(word), font, room: room))
            }
        }
        return lines
    }

    private func use(_ font: Font) {
        cairo.select_font_face(
            context, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
            font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
        cairo.set_font_size(context, font.size)
    }

    private func advance(_ text: String) -> Double {
        var extents = cairo_text_extents_t()
        cairo.text_extents(context, text, &extents)
        return extents.x_advance
    }

    private func set(_ colour: Colour) {
        cairo.set_source_rgba(context, colour.red, colour.green, colour.blue, colour.alpha)
    }
}
