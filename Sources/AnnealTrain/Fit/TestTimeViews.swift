import AnnealCore
import Foundation

/// Test-time augmentation: the views of an image whose scores are averaged, as in airbench (Jordan 2024, arXiv:2404.00498).
///
/// Their log-probabilities, which are the logits up to a constant, are averaged, and the result is normalised again.
public enum TestTimeViews: String, Sendable, CaseIterable {
    /// The image alone.
    case none
    /// The image and its mirror image.
    case mirror
    /// The image and its mirror image, which count for a half, and both moved by a pixel up and left, and down and
    /// right, with the border reflected.
    case mirrorShift = "mirror-shift"

    struct View: Sendable {
        /// Pixels that the window moves down and right.
        var shift = 0
        var mirrored: Bool
        var weight: Float
    }

    var views: [View] {
        switch self {
        case .none: [View(mirrored: false, weight: 1)]
        case .mirror: [View(mirrored: false, weight: 0.5), View(mirrored: true, weight: 0.5)]
        case .mirrorShift:
            [View(mirrored: false, weight: 0.25), View(mirrored: true, weight: 0.25)]
                + [-1, 1].flatMap { shift in
                    [false, true].map { View(shift: shift, mirrored: $0, weight: 0.125) }
                }
        }
    }
}

extension TestTimeViews.View {
    /// Writes this view of each plane.
    /// - Parameter images: (planes, height, width), row-major.
    func write(
        _ images: UnsafeBufferPointer<Float>, to output: UnsafeMutableBufferPointer<Float>, height: Int, width: Int
    ) {
        for row in 0..<images.count / width {
            let y = row % height
            let from = (row - y + reflected(y + shift, height)) * width, to = row * width
            for x in 0..<width {
                output[to + x] = images[from + reflected((mirrored ? width - 1 - x : x) + shift, width)]
            }
        }
    }

    /// The border is reflected about the outermost pixel, which is not repeated.
    private func reflected(_ place: Int, _ size: Int) -> Int {
        if place < 0 { return min(-place, size - 1) }
        return place < size ? place : max(2 * size - 2 - place, 0)
    }
}

/// The averaged scores of several views of a batch.
struct ViewMean {
    /// (batch, classes): sums of log-probabilities, and then probabilities.
    private var values: [Float] = []

    mutating func reset() { for i in values.indices { values[i] = 0 } }

    /// A probability of 0 counts as the smallest normal number, so that no view decides alone.
    mutating func add(_ batch: MetricBatch, weight: Float) {
        if values.isEmpty { values = Array(repeating: 0, count: batch.outputs.count) }
        for i in 0..<batch.rows * batch.classes {
            values[i] += weight * log(max(batch.outputs[i], .leastNormalMagnitude))
        }
    }

    /// Makes each row's sums probabilities again, by a softmax, and passes them on.
    mutating func withBatch(
        labels: UnsafeMutableBufferPointer<Float>, rows: Int, classes: Int, _ body: (MetricBatch) throws -> Void
    ) throws {
        for first in stride(from: 0, to: rows * classes, by: classes) {
            let row = first..<first + classes
            let highest = values[row].max() ?? 0
            var sum: Float = 0
            for i in row {
                values[i] = exp(values[i] - highest)
                sum += values[i]
            }
            for i in row { values[i] /= sum }
        }
        try values.withUnsafeBufferPointer {
            try body(MetricBatch(labels: UnsafeBufferPointer(labels), outputs: $0, rows: rows, classes: classes))
        }
    }
}
