import AnnealCore
import Foundation

/// The learning rate settings from the flags of MXNet's `fit.py`.
public struct FitSchedule: Sendable {
    /// The optimizer's learning rate.
    public var learningRate: Double
    /// nil: the rate does not change.
    public var schedule: (any LearningRateSchedule)?
    /// Updates per epoch, including the last partial batch.
    public var epochSize: Int
    /// The updates after which the rate falls, counted from the first of this process.
    public var steps: [Int]
}

/// The learning rate from the flags of MXNet's scripts: `--lr`, `--lr-factor`, `--lr-step-epochs` and those they depend
/// on.
///
/// With `loadEpoch` update 1 is the first of the process, as in MXNet, which restores weights only: passed steps are
/// multiplied into the rate, the rest is shifted (but `pow` starts over). A run that restores its optimizer continues
/// to count updates; it leaves `loadEpoch` at 0, and its schedule continues by itself.
///
/// - Parameters:
///   - factor: `--lr-factor`; nil or at least 1 means no schedule.
///   - stepEpochs: `25,50,75`, or `pow2`, `pow 1.5`… for PolyScheduler with that power; nil or empty: no schedule.
///   - workers: hosts that share an epoch.
/// Throws if the step epochs are neither, or do not increase.
public func fitSchedule(
    lr: Double, factor: Double?, stepEpochs: String?, numExamples: Int, batchSize: Int, loadEpoch: Int = 0,
    numEpochs: Int, workers: Int = 1
) throws -> FitSchedule {
    guard batchSize >= 1, workers >= 1, numExamples >= 0 else {
        throw AnnealError(
            "--batch-size", "is \(batchSize) for \(numExamples) examples", suggestion: "give positive numbers")
    }
    let share = numExamples / workers
    let epochSize = (share + batchSize - 1) / batchSize
    var result = FitSchedule(learningRate: lr, schedule: nil, epochSize: epochSize, steps: [])
    guard let factor, factor < 1, let stepEpochs, !stepEpochs.isEmpty else { return result }
    if stepEpochs.contains("pow") {
        result.schedule = try PolyScheduler(
            maxUpdate: numEpochs * epochSize, baseRate: lr, power: try power(stepEpochs))
        return result
    }
    let epochs = try stepEpochs.split(separator: ",", omittingEmptySubsequences: false).map { text in
        // Larger numbers would overflow when counted in updates.
        guard let epoch = Int(text.trimmingCharacters(in: .whitespaces)), (-1_000_000...1_000_000).contains(epoch)
        else { throw badStepEpochs(stepEpochs) }
        return epoch
    }
    for epoch in epochs where loadEpoch >= epoch { result.learningRate *= factor }
    result.steps = epochs.filter { $0 > loadEpoch }.map { epochSize * ($0 - loadEpoch) }
    if !result.steps.isEmpty {
        do {
            result.schedule = try MultiFactorScheduler(
                steps: result.steps, factor: factor, baseRate: result.learningRate)
        } catch let error as AnnealError {
            throw error.within("--lr-step-epochs \(stepEpochs)")
        }
    }
    return result
}

/// MXNet's script deletes `pow` and the blanks and dashes after it, and takes the rest as the power.
private func power(_ text: String) throws -> Double {
    var rest = text
    while let range = rest.range(of: "pow") {
        var end = range.upperBound
        while end < rest.endIndex, rest[end] == " " || rest[end] == "-" { end = rest.index(after: end) }
        rest.removeSubrange(range.lowerBound..<end)
    }
    guard let power = Double(rest.trimmingCharacters(in: .whitespaces)), power.isFinite else {
        throw badStepEpochs(text)
    }
    return power
}

private func badStepEpochs(_ text: String) -> AnnealError {
    AnnealError("--lr-step-epochs", "is '\(text)'", suggestion: "give epochs as in 25,50,75, or a power as in pow2")
}
