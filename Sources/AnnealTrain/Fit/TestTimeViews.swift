import AnnealCore
import Foundation

/// Test-time augmentation: the scores of several views of an image are averaged, as in airbench (Jordan 2024,
/// arXiv:2404.00498).
///
/// Averages their log-probabilities, which are the logits up to a constant, and normalises the result.
public enum TestTimeViews: String, Sendable, CaseIterable {
    /// The image alone.
    case none
    /// The image and its mirror image.
    case mirror
    /// The image and its mirror image, with a total weight of a half, and both shifted by a pixel up and left, and down
    /// and right, with a reflected border.
    case mirrorShift = "mirror-shift"

    struct View: Sendable {
        /// Pixels by which the window moves down and right.
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

    /// A probability of 0 counts as the smallest normal number, so that no single view decides.
    mutating func add(_ batch: MetricBatch, weight: Float) {
        if values.isEmpty { values = Array(repeating: 0, count: batch.outputs.count) }
        for i in 0..<batch.rows * batch.classes {
            values[i] += weight * log(max(batch.outputs[i], .leastNormalMagnitude))
        }
    }

    /// Turns each row's sums into probabilities again, by a softmax, and passes them on.
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
