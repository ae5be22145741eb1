import AnnealCore

/// How class labels are changed in training. With everything off they are used as they are.
public struct SoftLabels: Sendable, Equatable {
    /// Label smoothing e: (1 - e) onehot + e / classes, as in PyTorch.
    public var smoothing: Float = 0
    /// Mixup (Zhang et al. 2017, arXiv:1710.09412): images and labels are mixed with a share from Beta(alpha, alpha),
    /// drawn once per batch; 0: off.
    public var mixup: Float = 0
    /// CutMix (Yun et al. 2019, arXiv:1905.04899): a rectangle is taken from another image; its share of the area, 1 -
    /// Beta(alpha, alpha), is that of the label too; 0: off. Together with mixup, one of the two is chosen for each
    /// batch at random, as in timm.
    public var cutmix: Float = 0
    /// Multiplies the label, and therefore the loss, of each class's images; nil: 1.
    public var classWeights: [Float]?

    public init() {}

    public var areOff: Bool { self == SoftLabels() }

    /// Weights n / (classes * n of the class), which give every class the same total weight and have a mean of 1 over
    /// all samples; 0 for a class without samples.
    public static func balancedWeights(counts: [Int]) -> [Float] {
        let all = Float(counts.reduce(0, +)), classes = Float(counts.count)
        return counts.map { $0 > 0 ? all / (classes * Float($0)) : 0 }
    }

    /// - Throws: `AnnealError` naming the invalid setting by its flag.
    public func check(classes: Int) throws {
        guard smoothing >= 0, smoothing < 1 else {
            throw AnnealError("--label-smoothing", "is \(smoothing)", suggestion: "it must be at least 0 and below 1")
        }
        for (flag, alpha) in [("--mixup", mixup), ("--cutmix", cutmix)] {
            guard (0...1000).contains(alpha) else {
                throw AnnealError(flag, "is \(alpha)", suggestion: "it must be 0 to 1000; 0.2 and 1 are usual")
            }
        }
        guard let classWeights else { return }
        guard classWeights.count == classes else {
            throw AnnealError(
                "--class-weights", "has \(classWeights.count) numbers, but there are \(classes) classes",
                suggestion: "give one per class, separated by commas, or 'balanced'")
        }
        guard classWeights.allSatisfy({ $0 >= 0 && $0.isFinite }), classWeights.contains(where: { $0 > 0 }) else {
            throw AnnealError(
                "--class-weights", "are negative, or all 0",
                suggestion: "give numbers of at least 0, at least one of them positive")
        }
    }

    /// Writes a row of the labels of two classes with weights `share` and 1 - `share`.
    func fill(_ row: UnsafeMutableBufferPointer<Float>, _ own: Int, _ other: Int, share: Float) {
        row.update(repeating: 0)
        for (label, share) in [(own, share), (other, 1 - share)] where share > 0 {
            let mass = share * (classWeights?[label] ?? 1), even = mass * smoothing / Float(row.count)
            for c in row.indices { row[c] += even }
            row[label] += mass * (1 - smoothing)
        }
    }
}
