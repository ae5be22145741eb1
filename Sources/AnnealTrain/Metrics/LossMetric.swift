import AnnealCore

/// The mean of all outputs, for models that output the loss; MXNet's `loss`. Labels are ignored.
public struct LossMetric: Metric {
    public let name: String
    /// The sum of the outputs, outputs.
    public var sums: [Double] = [0, 0]

    public init(name: String = "loss") { self.name = name }

    public var value: Double { sums[0] / sums[1] }

    public mutating func update(_ batch: MetricBatch) throws {
        let count = batch.samples * (batch.outputsAreClasses ? 1 : batch.classes)
        for i in 0..<count { sums[0] += Double(batch.outputs[i]) }
        sums[1] += Double(count)
    }
}
