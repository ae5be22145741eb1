import Foundation

/// What the losses of a search for a learning rate say, once their noise is smoothed away.
public struct LearningRateCurve: Sendable {
    public typealias Point = LearningRateSearch.Point

    public enum Finding: Sendable, Equatable {
        /// A rate to train with.
        case suggestion(Double)
        /// The loss did not fall by more than its own noise.
        case noClearDescent
        /// The loss is lowest at the end of the search, which has not diverged.
        case stillFalling
    }

    /// The losses smoothed over the logarithm of the rate, at the points of the search; what is far above the first
    /// losses counts as twice them.
    public let smoothed: [Point]
    /// Where the smoothed loss is lowest; nil without a finite loss.
    public let lowest: Point?
    /// Where the smoothed loss falls fastest over the logarithm of the rate, on the last descent to its lowest value.
    public let steepest: Point?
    public let finding: Finding

    /// A descent is clear if it is at least as many times the noise of the smoothed loss, and this part of the loss.
    private static let clearNoise = 6.0
    private static let clearPart = 0.05
    /// The share of the way down that the last descent begins with.
    private static let descentBegins = 0.1

    public init(_ search: LearningRateSearch) {
        let finite = search.points.prefix { $0.loss.isFinite }
        guard let level = search.initialLoss, level.isFinite, level > 0, finite.count > search.beginning else {
            (smoothed, lowest, steepest, finding) = ([], nil, nil, .noClearDescent)
            return
        }
        let losses = finite.map { min($0.loss, 2 * level) }
        // A 20th of the range: a third of a power of ten of the usual seven.
        let width = max(2, search.steps / 20)
        let curve = Self.smooth(losses, width: width)
        smoothed = zip(finite, curve).map { Point(rate: $0.rate, loss: $1) }

        let bottom = curve.indices.min { curve[$0] < curve[$1] } ?? 0
        let drop = level - curve[bottom]
        var top = bottom
        while top > 0, curve[top] < level - Self.descentBegins * drop { top -= 1 }
        func slope(_ index: Int) -> Double { curve[min(index + 1, curve.count - 1)] - curve[max(index - 1, 0)] }
        let steepest = (top...bottom).min { slope($0) < slope($1) } ?? bottom
        lowest = smoothed[bottom]
        self.steepest = smoothed[steepest]

        // The standard error of the drop: of the mean of the first losses, and of a Gaussian average.
        let squares = zip(losses, curve).prefix(bottom + 1).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let variance = squares / Double(bottom + 1)
        let noise = (variance / Double(search.beginning) + variance / (2 * Double.pi.squareRoot() * Double(width)))
            .squareRoot()
        let isClear = drop >= Self.clearNoise * noise && drop >= Self.clearPart * level && slope(steepest) < 0
        if !isClear {
            finding = .noClearDescent
        } else if !search.hasDiverged, curve.count - bottom <= width {
            finding = .stillFalling
        } else {
            // Still on the descent, and well below the rates at which the loss rises again.
            let rate = smoothed[bottom].rate
            finding = .suggestion(min(rate / 2, max(rate / 3, smoothed[steepest].rate)))
        }
    }

    /// Three moving averages one after the other, which together are close to a Gaussian of this deviation, in a time
    /// that does not grow with it.
    private static func smooth(_ values: [Double], width: Int) -> [Double] {
        var values = values
        for _ in 0..<3 {
            var sums = [0.0]
            sums.reserveCapacity(values.count + 1)
            for value in values { sums.append(sums[sums.count - 1] + value) }
            values = values.indices.map { index in
                let from = max(0, index - width), to = min(values.count, index + width + 1)
                return (sums[to] - sums[from]) / Double(to - from)
            }
        }
        return values
    }
}
