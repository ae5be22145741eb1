import Foundation

/// Analyses the losses of a learning rate search after smoothing.
public struct LearningRateCurve: Sendable {
    public typealias Point = LearningRateSearch.Point

    /// The result of the analysis.
    public enum Finding: Sendable, Equatable {
        /// A learning rate for training.
        case suggestion(Double)
        /// The loss did not fall by more than its noise.
        case noClearDescent
        /// The loss is lowest at the end of the search, which has not diverged.
        case stillFalling
    }

    /// The losses smoothed over the logarithm of the rate, at the points of the search; values far above the first
    /// losses count as 1.25 times those, so that the end of the search does not hide the rates before it.
    public let smoothed: [Point]
    /// Where the smoothed loss is lowest; nil without a finite loss.
    public let lowest: Point?
    /// Where the smoothed loss falls fastest over the logarithm of the rate, on the last descent to its minimum.
    public let steepest: Point?
    public let finding: Finding

    /// Rates at which the smoothed loss is near its minimum: within a tenth of its fall, or twice its noise if that is
    /// more. nil without a clear descent.
    public let valley: ClosedRange<Double>?

    private static let highest = 1.25
    private static let floor = 0.1
    private static let valleyNoise = 2.0
    /// A rate that is safe for the few updates of a search is too high for a whole training.
    private static let caution = 0.6
    /// A descent is clear if it is at least this many times the noise of the smoothed loss, and this fraction of the
    /// loss.
    private static let clearNoise = 6.0
    private static let clearPart = 0.05
    /// The fraction of the descent at which the last descent is considered to begin.
    private static let descentBegins = 0.1

    public init(_ search: LearningRateSearch) {
        let finite = search.points.prefix { $0.loss.isFinite }
        guard let level = search.initialLoss, level.isFinite, level > 0, finite.count > search.beginning else {
            (smoothed, lowest, steepest, valley, finding) = ([], nil, nil, nil, .noClearDescent)
            return
        }
        let losses = finite.map { min($0.loss, Self.highest * level) }
        // A 30th of the range: a quarter of a power of ten of the usual seven.
        let width = max(2, search.steps / 30)
        let curve = Self.smooth(losses, width: width)
        smoothed = zip(finite, curve).map { Point(rate: $0.rate, loss: $1) }

        let bottom = curve.indices.min { curve[$0] < curve[$1] } ?? 0
        // The smoothing window extends beyond the point itself.
        let first = losses.prefix(search.beginning).reduce(0, +) / Double(search.beginning)
        let drop = first - curve[bottom]
        var top = bottom
        while top > 0, curve[top] < first - Self.descentBegins * drop { top -= 1 }
        func slope(_ index: Int) -> Double { curve[min(index + 1, curve.count - 1)] - curve[max(index - 1, 0)] }
        let steepest = (top...bottom).min { slope($0) < slope($1) } ?? bottom
        lowest = smoothed[bottom]
        self.steepest = smoothed[steepest]

        // The standard error of a Gaussian average; for the drop, combined with that of the mean of the first losses.
        let squares = zip(losses, curve).prefix(bottom + 1).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let variance = squares / Double(bottom + 1)
        let curveNoise = (variance / (2 * Double.pi.squareRoot() * Double(width))).squareRoot()
        let noise = (variance / Double(search.beginning) + curveNoise * curveNoise).squareRoot()
        let isClear = drop >= Self.clearNoise * noise && drop >= Self.clearPart * level && slope(steepest) < 0
        guard isClear else {
            (valley, finding) = (nil, .noClearDescent)
            return
        }
        // In a flat valley the position of the minimum is random; the valley's sides are not.
        let depth = max(Self.floor * drop, Self.valleyNoise * curveNoise)
        func isInside(_ index: Int) -> Bool { curve[index] <= curve[bottom] + depth }
        let left = (0...bottom).last { !isInside($0) }.map { $0 + 1 } ?? 0
        let right = (bottom..<curve.count).first { !isInside($0) }.map { $0 - 1 } ?? curve.count - 1
        let sides = smoothed[left].rate...smoothed[right].rate
        valley = sides
        finding =
            !search.hasDiverged && curve.count - bottom <= 2 * width
            ? .stillFalling : .suggestion(Self.caution * (sides.lowerBound * sides.upperBound).squareRoot())
    }

    /// Three moving averages in a row, which approximate a Gaussian of this standard deviation, in time independent of
    /// it.
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
