import AnnealCore
import Foundation

/// Whether two classifiers differ on the same images: McNemar's test (Psychometrika 12, 1947) in its exact form, which
/// uses only the images that exactly one of them classifies correctly.
public struct McNemar: Sendable, Equatable {
    public var both: Int
    public var onlyFirst: Int
    public var onlySecond: Int
    public var neither: Int

    public init(both: Int, onlyFirst: Int, onlySecond: Int, neither: Int) {
        self.both = both
        self.onlyFirst = onlyFirst
        self.onlySecond = onlySecond
        self.neither = neither
    }

    public var images: Int { both + onlyFirst + onlySecond + neither }

    /// Accuracy of the second minus that of the first.
    public var difference: Double { images > 0 ? Double(onlySecond - onlyFirst) / Double(images) : 0 }

    /// The Wald 95 % interval of `difference` for paired proportions.
    public var interval: ClosedRange<Double> {
        guard images > 0 else { return 0...0 }
        let n = Double(images), b = Double(onlyFirst), c = Double(onlySecond)
        let half = 1.959964 * max(0, b + c - (b - c) * (b - c) / n).squareRoot() / n
        return (difference - half)...(difference + half)
    }

    /// The probability of a difference at least as large if both were equally good: two-sided, from the binomial
    /// distribution with p = 1/2.
    public var pValue: Double {
        let n = onlyFirst + onlySecond, k = min(onlyFirst, onlySecond)
        guard n > 0 else { return 1 }
        // Σ C(n, i) / 2ⁿ for i ≤ k, from the largest term down; in logarithms, because 2ⁿ may overflow a double.
        func logFactorial(_ number: Int) -> Double { lgamma(Double(number) + 1) }
        let logTerm: Double = logFactorial(n) - logFactorial(k) - logFactorial(n - k) - Double(n) * M_LN2
        var term: Double = exp(logTerm), sum: Double = 0, i: Int = k
        while i >= 0, term > 0 {
            sum += term
            // C(n, i - 1) = C(n, i) i / (n - i + 1)
            let ratio: Double = Double(i) / Double(n - i + 1)
            term *= ratio
            i -= 1
        }
        return min(1, 2 * sum)
    }
}

extension McNemar {
    /// Compares the answers of two models for the images that both have.
    ///
    /// - Returns: also a description of what was compared.
    /// - Throws: `AnnealError` if they are not about the same images.
    public init(_ first: AnswerFile, _ second: AnswerFile) throws {
        let pairs: [(AnswerFile.Row, AnswerFile.Row)]
        if first.rows.count == second.rows.count, zip(first.rows, second.rows).allSatisfy({ $0.image == $1.image }) {
            pairs = Array(zip(first.rows, second.rows))
        } else {
            let named = try second.byName()
            _ = try first.byName()
            pairs = first.rows.compactMap { row in named[row.image].map { (row, $0) } }
        }
        guard !pairs.isEmpty else {
            throw AnnealError(
                second.path, "has no image of \(first.path)", suggestion: "score both models on the same data",
                code: .mismatch)
        }
        if let other = pairs.first(where: { $0.label != $1.label }) {
            throw AnnealError(
                second.path,
                "image \(other.0.image) has label \(other.1.label), in \(first.path) label \(other.0.label)",
                suggestion: "score both models on the same data", code: .mismatch)
        }
        self.init(both: 0, onlyFirst: 0, onlySecond: 0, neither: 0)
        for (a, b) in pairs {
            switch (a.isRight, b.isRight) {
            case (true, true): both += 1
            case (true, false): onlyFirst += 1
            case (false, true): onlySecond += 1
            case (false, false): neither += 1
            }
        }
    }
}
