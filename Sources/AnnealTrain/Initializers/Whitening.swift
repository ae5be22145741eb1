import AnnealCore
import AnnealGraph
import Foundation

/// Eigenvectors of a covariance that is accumulated patch by patch: filters with uncorrelated outputs of variance 1 on
/// such patches, as in airbench (Jordan 2024, arXiv:2404.00498) after Page 2019, "How to train your ResNet".
public struct PatchCovariance {
    /// Channels, height and width of a patch.
    public let patch: Shape
    private var sums: [Double]
    private var patches = 0

    public init(patch: Shape) {
        self.patch = patch
        sums = Array(repeating: 0, count: patch.count * patch.count)
    }

    /// Adds every patch of an image, row-major (channels, height, width).
    public mutating func add(_ image: UnsafeBufferPointer<Float>, height: Int, width: Int) {
        let (channels, rows, columns) = (patch[0], patch[1], patch[2])
        var offsets: [Int] = []
        for c in 0..<channels {
            for r in 0..<rows { for k in 0..<columns { offsets.append((c * height + r) * width + k) } }
        }
        guard height >= rows, width >= columns else { return }
        for top in 0...height - rows {
            for left in 0...width - columns {
                let first = top * width + left
                for i in offsets.indices {
                    let value = Double(image[first + offsets[i]])
                    for j in 0...i { sums[i * offsets.count + j] += value * Double(image[first + offsets[j]]) }
                }
                patches += 1
            }
        }
    }

    /// The directions of largest variance first, each divided by its standard deviation, then their negatives.
    ///
    /// - Parameters:
    ///   - count: the number of filters; even, and at most twice the number of values in a patch.
    ///   - epsilon: added to the variances, so that directions with almost none are not blown up.
    /// - Returns: (count, channels, height, width)
    public func filters(_ count: Int, epsilon: Double = 5e-4) -> Tensor {
        precondition(count % 2 == 0 && count / 2 <= patch.count && patches > 0)
        let size = patch.count
        var covariance = [[Double]](repeating: Array(repeating: 0, count: size), count: size)
        for i in 0..<size {
            for j in 0...i {
                covariance[i][j] = sums[i * size + j] / Double(patches)
                covariance[j][i] = covariance[i][j]
            }
        }
        let pairs = eigenvectors(covariance).sorted { $0.value > $1.value }.prefix(count / 2)
        let directions = pairs.flatMap { pair in
            // A vector and its negative are both eigenvectors: the sign is chosen so that the largest entry is
            // positive.
            let sign = (pair.vector.max { abs($0) < abs($1) } ?? 1) < 0 ? -1.0 : 1.0
            return pair.vector.map { Float(sign * $0 / (pair.value + epsilon).squareRoot()) }
        }
        return Tensor(Shape([count] + patch.dims), directions + directions.map { -$0 })
    }
}

/// Eigenvectors of a symmetric matrix, by Jacobi rotations; suitable for a few dozen rows.
package func eigenvectors(_ matrix: [[Double]]) -> [(value: Double, vector: [Double])] {
    var a = matrix
    let size = a.count
    // Rows are the vectors.
    var vectors = (0..<size).map { row in (0..<size).map { $0 == row ? 1.0 : 0.0 } }
    for _ in 0..<60 {
        var rest = 0.0
        for i in 0..<size { for j in 0..<i { rest += a[i][j] * a[i][j] } }
        if rest < 1e-24 * a.indices.reduce(0, { $0 + a[$1][$1] * a[$1][$1] }) { break }
        for p in 0..<size {
            for q in p + 1..<max(size, p + 1) where a[p][q] != 0 {
                let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
                let c = 1 / (t * t + 1).squareRoot(), s = t * c
                for k in 0..<size { (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]) }
                for k in 0..<size { (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]) }
                for k in 0..<size {
                    (vectors[p][k], vectors[q][k]) = (
                        c * vectors[p][k] - s * vectors[q][k], s * vectors[p][k] + c * vectors[q][k]
                    )
                }
            }
        }
    }
    return (0..<size).map { (a[$0][$0], vectors[$0]) }
}

extension Trainer {
    /// Gives a convolution filters that whiten the source's first images.
    ///
    /// - Parameters:
    ///   - layer: a convolution on the network's input, with an even number of filters, at most twice the number of
    ///     values in a patch.
    ///   - images: the number of images to use, in whole batches.
    public func whiten(_ layer: String, from source: any BatchSource, images: Int = 5000) throws {
        let name = layer + "_weight"
        guard let shape = parameters.shape(name), shape.rank == 4, shape[1] == dataShape[0] else {
            throw AnnealError(
                "--whiten \(layer)", "is not a convolution on the images",
                suggestion: "name the first convolution, as airbench's 'whiten'")
        }
        let patch = Shape(Array(shape.dims[1...]))
        guard shape[0] % 2 == 0, shape[0] / 2 <= patch.count else {
            throw AnnealError(
                "--whiten \(layer)", "has \(shape[0]) filters, but patches of \(patch) give up to \(2 * patch.count)",
                suggestion: "it must have an even number of filters, at most that many")
        }
        var covariance = PatchCovariance(patch: patch)
        // Not the training step's memory: where processes share batches, it has room for some rows of each only.
        let size = dataShape.count
        let data = UnsafeMutableBufferPointer<Float>.allocate(capacity: source.batchSize * size)
        let labels = UnsafeMutableBufferPointer<Float>.allocate(capacity: source.batchSize * source.labelWidth)
        data.initialize(repeating: 0)
        labels.initialize(repeating: 0)
        defer {
            data.deallocate()
            labels.deallocate()
        }
        let slot = BatchSlot(data: data, labels: labels)
        try source.start(epoch: 0, atBatch: 0)
        var seen = 0
        while seen < images, case let rows = try source.next(into: slot), rows > 0 {
            for row in 0..<rows {
                let image = UnsafeBufferPointer(rebasing: slot.data[row * size..<(row + 1) * size])
                covariance.add(image, height: dataShape[1], width: dataShape[2])
            }
            seen += rows
        }
        try parameters.set(name, covariance.filters(shape[0]))
    }
}
