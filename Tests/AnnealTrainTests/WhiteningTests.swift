import AnnealCore
import AnnealTrain
import Testing

@Suite struct WhiteningTests {
    @Test func eigenvectorsOfASymmetricMatrix() {
        var random = Random(seed: 3, purpose: .test)
        var matrix = [[Double]](repeating: Array(repeating: 0, count: 7), count: 7)
        for i in 0..<7 {
            for j in 0...i {
                matrix[i][j] = Double(random.uniform(-1, 1))
                matrix[j][i] = matrix[i][j]
            }
        }
        let pairs = eigenvectors(matrix)
        for (value, vector) in pairs {
            for row in 0..<7 {
                let image = zip(matrix[row], vector).reduce(0) { $0 + $1.0 * $1.1 }
                #expect(abs(image - value * vector[row]) < 1e-10)
            }
            #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-10)
        }
        #expect(abs(pairs.reduce(0) { $0 + $1.value } - (0..<7).reduce(0) { $0 + matrix[$1][$1] }) < 1e-10)
    }

    /// The filters' outputs on the patches from which they were computed have variance 1 and are uncorrelated.
    @Test func outputsAreWhite() {
        var random = Random(seed: 4, purpose: .test)
        let side = 24
        var image: [Float] = []
        for _ in 0..<2 * side * side {
            // Neighbours are correlated, as in photographs.
            image.append(0.7 * (image.last ?? 0) + random.normal())
        }
        var covariance = PatchCovariance(patch: [2, 2, 2])
        image.withUnsafeBufferPointer { covariance.add($0, height: side, width: side) }
        let filters = covariance.filters(16, epsilon: 0)
        #expect(filters.shape == [16, 2, 2, 2])
        var moments = [[Double]](repeating: Array(repeating: 0, count: 8), count: 8)
        for top in 0..<side - 1 {
            for left in 0..<side - 1 {
                let patch = [0, 1].flatMap { c in
                    [0, 1].flatMap { r in [0, 1].map { image[(c * side + top + r) * side + left + $0] } }
                }
                let outputs = (0..<8).map { filter in
                    zip(filters.elements[filter * 8..<filter * 8 + 8], patch).reduce(0.0) {
                        $0 + Double($1.0) * Double($1.1)
                    }
                }
                for i in 0..<8 { for j in 0..<8 { moments[i][j] += outputs[i] * outputs[j] } }
            }
        }
        let patches = Double((side - 1) * (side - 1))
        for i in 0..<8 { for j in 0..<8 { #expect(abs(moments[i][j] / patches - (i == j ? 1 : 0)) < 1e-3) } }
        #expect(filters.elements[64...].elementsEqual(filters.elements[..<64].map { -$0 }))
    }
}
