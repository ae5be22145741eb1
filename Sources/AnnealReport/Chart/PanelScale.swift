import Foundation

/// A panel's vertical axis: maps values to positions.
struct PanelScale {
    let isLogarithmic: Bool
    let range: ClosedRange<Double>
    /// Whether there is anything to draw.
    let hasValues: Bool
    private let box: Box

    init(_ panel: Chart.Panel, box: Box) {
        self.box = box
        let values = panel.series.flatMap(\.points).map(\.y).filter(\.isFinite)
        let positive = values.filter { $0 > 0 }
        isLogarithmic =
            switch panel.scale {
            case .linear: false
            case .logarithmic: !positive.isEmpty
            case .automatic(let ratio):
                !positive.isEmpty && positive.count == values.count
                    && (positive.max() ?? 1) >= ratio * (positive.min() ?? 1) * (1 - 1e-9)
            }
        let shown = isLogarithmic ? positive : values
        hasValues = !shown.isEmpty
        guard let low = shown.min(), let high = shown.max() else {
            range = panel.limits ?? 0...1
            return
        }
        range = isLogarithmic ? Self.logarithmic(low, high) : Self.linear(low, high, panel.limits)
    }

    /// With a small margin above and below; a single value gets an axis that shows its magnitude.
    private static func linear(_ low: Double, _ high: Double, _ limits: ClosedRange<Double>?) -> ClosedRange<Double> {
        // Halved, because the span of the largest doubles overflows.
        let half = high / 2 - low / 2
        let size = max(abs(low), abs(high))
        // Less than 2 % of the values' magnitude is noise, which should not fill the panel.
        let air = max(half * 0.16, size == 0 ? 0.5 : half == 0 ? size * 0.1 : size * 0.01 - half)
        var (bottom, top) = (
            max(low - air, -.greatestFiniteMagnitude / 4), min(high + air, .greatestFiniteMagnitude / 4)
        )
        // If values never cross zero, the axis does not either.
        if low >= 0 { bottom = max(0, bottom) }
        if let limits, low >= limits.lowerBound, high <= limits.upperBound {
            (bottom, top) = (max(bottom, limits.lowerBound), min(top, limits.upperBound))
        }
        return bottom < top ? bottom...top : (bottom - 0.5)...(bottom + 0.5)
    }

    private static func logarithmic(_ low: Double, _ high: Double) -> ClosedRange<Double> {
        let air = max(0.08 * (log10(high) - log10(low)), high == low ? 0.3 : 0)
        return max(low / pow(10, air), .leastNormalMagnitude)...min(high * pow(10, air), .greatestFiniteMagnitude / 4)
    }

    func ticks() -> Ticks {
        // Decades are few and far apart: their labels may be closer together.
        isLogarithmic
            ? .logarithmic(range, count: max(3, Int(box.height / 24)))
            : .linear(range, count: max(2, Int(box.height / 38)))
    }

    /// nil if the value has no position: not finite, or not positive on a logarithmic axis.
    func y(_ value: Double) -> Double? {
        guard value.isFinite, !isLogarithmic || value > 0 else { return nil }
        let part =
            isLogarithmic
            ? (log10(value) - log10(range.lowerBound)) / (log10(range.upperBound) - log10(range.lowerBound))
            : (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        return box.bottom - part * box.height
    }
}
