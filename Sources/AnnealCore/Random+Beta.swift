import Foundation

extension Random {
    /// Beta(alpha, alpha), of mean 1/2: X / (X + Y) of two gamma variates.
    /// - Precondition: alpha is positive.
    public mutating func symmetricBeta(_ alpha: Double) -> Double {
        precondition(alpha > 0)
        // In logarithms: for a small alpha both variates may underflow.
        let x = logarithmOfGamma(alpha)
        return 1 / (1 + exp(logarithmOfGamma(alpha) - x))
    }

    /// The logarithm of a variate of Gamma(shape, 1), by Marsaglia and Tsang 2000, "A simple method for generating gamma
    /// variables"; for a shape below 1 that of shape + 1 times u^(1 / shape).
    private mutating func logarithmOfGamma(_ shape: Double) -> Double {
        if shape < 1 {
            let u = (Double(nextWord()) + 0.5) * 0x1p-32
            return logarithmOfGamma(shape + 1) + log(u) / shape
        }
        let d = shape - 1.0 / 3, c = 1 / (9 * d).squareRoot()
        while true {
            let x = Double(normal()), root = 1 + c * x
            let u = (Double(nextWord()) + 0.5) * 0x1p-32
            guard root > 0 else { continue }
            let v = root * root * root
            if log(u) < 0.5 * x * x + d * (1 - v + log(v)) { return log(d * v) }
        }
    }
}
