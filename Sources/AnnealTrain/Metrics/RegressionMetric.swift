import AnnealCore

/// Mean absolute error, mean squared error and root mean squared error; MXNet's `mae`, `mse`, `rmse`.
///
/// As in MXNet the value is the mean over batches of the batch's value, so a small last batch has as much weight as a
/// full one. Labels are as wide as the outputs, or one of the two has width 1 and is broadcast.
public struct RegressionMetric: Metric {
    public enum Kind: String, Sendable, CaseIterable { case mae, mse, rmse }

    public let name: String
    public let kind: Kind
    /// The sum of the batches' values, batches.
    public var sums: [Double] = [0, 0]

    public init(_ kind: Kind, name: String? = nil) {
        self.kind = kind
        self.name = name ?? kind.rawValue
    }

    public var value: Double { sums[0] / sums[1] }

    public mutating func update(_ batch: MetricBatch) throws {
        guard batch.rows > 0 else { return }
        let pairs = try RegressionPairs(batch, name)
        var sum = 0.0
        for i in 0..<pairs.count {
            let (label, output) = pairs[i]
            let error = Double(label - output)
            sum += kind == .mae ? abs(error) : error * error
        }
        let mean = sum / Double(pairs.count)
        sums[0] += kind == .rmse ? mean.squareRoot() : mean
        sums[1] += 1
    }
}

/// Pearson correlation of outputs and labels; MXNet's `pearsonr`.
///
/// macro, the default: the mean over batches of the batch's value; micro: of all samples together.
public struct PearsonCorrelation: Metric {
    public let name: String
    public let average: MetricAverage
    /// macro: the sum of the batches' values, batches. micro: samples and the sums of x, y, x², y², x*y.
    public var sums: [Double]

    public init(average: MetricAverage = .macro, name: String = "pearsonr") {
        self.average = average
        self.name = name
        sums = Array(repeating: 0, count: average == .macro ? 2 : 6)
    }

    public var value: Double { average == .macro ? sums[0] / sums[1] : PearsonCorrelation.correlation(sums) }

    public mutating func update(_ batch: MetricBatch) throws {
        guard batch.rows > 0 else { return }
        let pairs = try RegressionPairs(batch, name)
        var moments = [0.0, 0, 0, 0, 0, 0]
        for i in 0..<pairs.count {
            let (label, output) = pairs[i]
            let x = Double(label), y = Double(output)
            moments[0] += 1
            moments[1] += x
            moments[2] += y
            moments[3] += x * x
            moments[4] += y * y
            moments[5] += x * y
        }
        if average == .macro {
            sums[0] += PearsonCorrelation.correlation(moments)
            sums[1] += 1
        } else {
            for i in 0..<6 { sums[i] += moments[i] }
        }
    }

    /// NaN if one side is constant.
    private static func correlation(_ moments: [Double]) -> Double {
        let n = moments[0], x = moments[1], y = moments[2]
        let varianceX = n * moments[3] - x * x, varianceY = n * moments[4] - y * y
        return (n * moments[5] - x * y) / (varianceX.squareRoot() * varianceY.squareRoot())
    }
}

/// How a metric combines batches.
public enum MetricAverage: String, Sendable, CaseIterable {
    /// The mean of the batches' values.
    case macro
    /// The value of all samples together.
    case micro
}

/// Labels and outputs of the valid rows, paired as NumPy broadcasts them.
struct RegressionPairs {
    private let batch: MetricBatch
    private let labelWidth: Int
    private let outputWidth: Int
    private let width: Int

    init(_ batch: MetricBatch, _ metric: String) throws {
        self.batch = batch
        labelWidth = batch.labelWidth
        outputWidth = batch.positions * (batch.outputsAreClasses ? 1 : batch.classes)
        width = max(labelWidth, outputWidth)
        guard labelWidth == outputWidth || labelWidth == 1 || outputWidth == 1, !batch.labels.isEmpty else {
            throw AnnealError(
                "metric \(metric)", "has \(outputWidth) outputs per row and \(labelWidth) labels",
                suggestion: "make them equal", code: .mismatch
            )
        }
    }

    var count: Int { batch.rows * width }

    subscript(i: Int) -> (label: Float, output: Float) {
        let row = i / width, column = i % width
        return (
            batch.labels[labelWidth == 1 ? row : row * labelWidth + column],
            batch.outputs[outputWidth == 1 ? row : row * outputWidth + column]
        )
    }
}
