import AnnealReport
import AnnealTrain
import CAnnealCairo
import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

struct ChartTests {
    /// All charts that must draw. Set ANNEAL_CHARTS to a folder to keep the pictures and look at them.
    static let cases: [(name: String, chart: Chart)] = {
        let title = "resnet-20 on CIFAR-10"
        let subtitle = "anneal train --network resnet --num-layers 20 --batch-size 128 --lr 0.05 · 3,28,28 · seed 0"
        func curves(_ epochs: [EpochReport]) -> Chart {
            CurvesWriter.chart(title: title, subtitle: subtitle, epochs: epochs)
        }
        var topK = Sample.run(60)
        for index in topK.indices {
            topK[index].validation.append(MetricValue(name: "top_k_accuracy_5", value: 0.99 - 0.2 / Double(index + 1)))
        }
        let runs = (0..<9).map { run in
            Chart.Series(
                label: "run \(run) with a rather long name of a configuration",
                points: (1...50).map { Chart.Point(Double($0), 0.9 - 0.5 / Double($0 + run) - 0.002 * Double(run)) })
        }
        let extremes = [1e-300, 1e300, -1e300, .infinity, -.infinity, .nan, 0].enumerated().map {
            Chart.Point(Double($0.offset), $0.element)
        }
        return [
            ("empty", curves([])), ("one", curves(Sample.run(1))), ("three", curves(Sample.run(3))),
            ("twelve", curves(Sample.run(12))), ("300", curves(Sample.run(300))), ("1000", curves(Sample.run(1000))),
            ("holes", curves(Sample.run(40, hole: 12..<16))), ("all-nan", curves(Sample.run(5, hole: 0..<5))),
            ("no-validation", curves(Sample.run(25, validation: false))), ("top-k", curves(topK)),
            ("resumed", curves(Array(Sample.run(40).dropFirst(25)))),
            (
                "overlay",
                Chart(title: "Nine runs", panels: [.init(title: "Validation accuracy", series: runs, height: 320)])
            ),
            (
                "far",
                Chart(
                    title: "Far away",
                    panels: [.init(title: "", series: [.init(label: "", points: [Chart.Point(1e300, 1)])])])
            ),
            (
                "far-apart",
                Chart(
                    title: "Far apart",
                    panels: [
                        .init(title: "", series: [.init(label: "", points: [.init(-1e308, 1), .init(1e308, 2)])])
                    ])
            ),
            ("no-panels", Chart(title: "Nothing", panels: [])),
            (
                "extremes",
                Chart(
                    title: "Extremes <&\"> ✓",
                    panels: [
                        .init(title: "Linear", series: [.init(label: "all", points: extremes)]),
                        .init(title: "Log", series: [.init(label: "all", points: extremes)], scale: .logarithmic),
                    ])
            ),
        ]
    }()

    @Test(arguments: cases.indices) func drawsSVGAndPNG(_ index: Int) throws {
        let (name, chart) = Self.cases[index]
        let svg = try chart.svg()
        let png = try chart.png()
        if let folder = ProcessInfo.processInfo.environment["ANNEAL_CHARTS"] {
            try svg.write(to: URL(fileURLWithPath: "\(folder)/\(name).svg"))
            try png.write(to: URL(fileURLWithPath: "\(folder)/\(name).png"))
        }
        #expect(XMLParser(data: svg).parse())
        let text = String(decoding: svg, as: UTF8.self)
        #expect(text.contains("<svg"))
        #expect(!text.contains("nan") && !text.contains("inf"))
        let size = try #require(try DecodedPNG(png, in: TemporaryFolder()))
        #expect(size.inked > 300)
        #expect(size.width == 1800)
        #expect(size.height > 100 && size.height < 2000)
        // One drawing, one answer.
        #expect(try chart.png() == png)
        #expect(try chart.svg() == svg)
    }

    @Test func aLongCurveKeepsWhatCanBeSeen() throws {
        // One column of half a point: first, lowest, highest and last stay.
        let column = [(0.0, 5.0), (0.1, 9), (0.2, 1), (0.3, 6), (0.4, 7)].map { Spot($0.0, $0.1) }
        #expect(CurveThinning.thinned(column).map(\.y) == [5, 9, 1, 7])
        let sparse = (0..<9).map { Spot(Double($0), 3) }
        #expect(CurveThinning.thinned(sparse) == sparse)
        #expect(CurveThinning.thinned([]).isEmpty)
        func chart(_ count: Int) -> Chart {
            let points = (0..<count).map { Chart.Point(Double($0), sin(Double($0 * $0))) }
            let lost = (0..<count).map { Chart.Point(Double($0), .nan) }
            return Chart(
                title: "",
                panels: [.init(title: "", series: [.init(label: "", points: points), .init(label: "", points: lost)])])
        }
        #expect(try chart(200_000).svg().count < 2 * chart(4000).svg().count)
    }

    @Test func textsOfAnyLengthAreFitted() throws {
        let canvas = try Canvas(width: 10, height: 10, format: .svg)
        let font = Canvas.Font(12)
        for text in ["", "word", "a rather long name of a class", String(repeating: "wide ", count: 40)] {
            for room in [0.0, 10, 40, 41, 300] {
                // One by one from the end, with the same result as bisection.
                var kept = text
                if canvas.width(of: text, font) > room {
                    while !kept.isEmpty, canvas.width(of: kept + "…", font) > room { kept.removeLast() }
                    kept += "…"
                }
                #expect(canvas.fitted(text, font, room: room) == kept)
            }
        }
        let lines = canvas.wrapped("some words of a title", font, room: canvas.width(of: "some words", font) + 0.1)
        #expect(lines == ["some words", "of a title"])
        // A million characters in a name must not take long.
        let endless = String(repeating: "x", count: 1_000_000)
        #expect(canvas.fitted(endless, font, room: 100).count < 30)
        let chart = Chart(
            title: endless, subtitle: endless,
            panels: [.init(title: endless, note: endless, series: [.init(label: endless, points: [Chart.Point(1, 1)])])]
        )
        #expect(try chart.svg().count < 3_000_000)
    }

    @Test func labelsAreSpreadAsLittleAsNeeded() {
        #expect(LabelSpread.spread([], pitch: 10, in: 0...100).isEmpty)
        #expect(LabelSpread.spread([50], pitch: 10, in: 0...100) == [50])
        #expect(LabelSpread.spread([20, 50], pitch: 10, in: 0...100) == [20, 50])
        #expect(LabelSpread.spread([52, 50], pitch: 10, in: 0...100) == [56, 46])
        #expect(LabelSpread.spread([100, 100, 99], pitch: 10, in: 0...100) == [90, 100, 80])
        #expect(LabelSpread.spread([5, 5, 5], pitch: 100, in: 0...100) == [0, 50, 100])
    }

    @Test func aCanvasThatCannotBeIsAnError() {
        #expect(throws: (any Error).self) {
            try Chart(title: "", panels: [.init(title: "", series: [], height: 1e6)]).png()
        }
    }
}

/// A PNG as libpng reads it back, through Cairo.
struct DecodedPNG {
    var width: Int
    var height: Int
    /// Pixels that are not white.
    var inked = 0

    init?(_ data: Data, in folder: TemporaryFolder) throws {
        let path = folder.file("chart.png")
        try data.write(to: URL(fileURLWithPath: path))
        let cairo = try Canvas.library()
        guard let surface = cairo.image_surface_create_from_png(path) else { return nil }
        defer { cairo.surface_destroy(surface) }
        guard cairo.surface_status(surface) == CAIRO_STATUS_SUCCESS,
            let bytes = cairo.image_surface_get_data(surface)
        else { return nil }
        width = Int(cairo.image_surface_get_width(surface))
        height = Int(cairo.image_surface_get_height(surface))
        let stride = Int(cairo.image_surface_get_stride(surface))
        for y in 0..<height {
            for x in 0..<width where bytes[y * stride + 4 * x] != 255 { inked += 1 }
        }
    }
}
