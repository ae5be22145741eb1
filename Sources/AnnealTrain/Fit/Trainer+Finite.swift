import AnnealCompiler
import AnnealCore
import Synchronization

/// What broke down in a step.
enum NonFinite {
    case loss
    /// Of the parameter nearest to the output whose gradient is not finite: there it began.
    case gradient(String)
    /// A batch norm's moving mean or variance: an activation's square is beyond the largest float, the loss need not be.
    case statistic(String)

    var description: String {
        switch self {
        case .loss: "the loss is not finite: the network's output holds a NaN or an infinity"
        case .gradient(let name): "the gradient of \(name) holds a NaN or an infinity"
        case .statistic(let name): "the statistic \(name) holds a NaN or an infinity"
        }
    }
}

/// Looks at gradients in the last moment at which they are all there. Costs reading them once.
final class GradientCheck {
    var isOn = false
    /// The last parameter, in the network's order, whose gradient was not finite.
    private(set) var broken: Int?

    func reset() { broken = nil }

    func look(at parameters: [OptimizedParameter], _ index: Int) {
        guard isOn, index > broken ?? -1 else { return }
        let parameter = parameters[index]
        if !allFinite(UnsafeBufferPointer(start: parameter.gradient, count: parameter.count)) { broken = index }
    }
}

extension Trainer {
    /// A step that ends before its update when its loss, a gradient or a moving statistic is not finite; then the run can
    /// continue only if it was `undoable`.
    /// - Parameter undoable: leaves all parameters, states and moving statistics as they were before such a step. Requires
    ///   `keepsGradients`: otherwise the backward pass has updated some parameters.
    func checkedStep(undoable: Bool) throws -> NonFinite? {
        try forward()
        guard let outputs = training.outputMemory(), allFinite(outputs) else { return .loss }
        // The backward pass moves them before it is known whether the gradients are finite.
        let statistics = undoable ? try movingStatistics.map { ($0, try parameters.tensor($0)) } : []
        gradientCheck.isOn = true
        gradientCheck.reset()
        defer { gradientCheck.isOn = false }
        try backward()
        for index in trained.indices.reversed() where !updatedEarly.contains(index) {
            gradientCheck.look(at: trained, index)
        }
        let problem =
            gradientCheck.broken.map { NonFinite.gradient(trained[$0].name) }
            ?? parameters.entries.first { $0.isAuxiliary && !isFinite($0) }.map { .statistic($0.name) }
        if let problem {
            for (name, value) in statistics { try parameters.set(name, value) }
            return problem
        }
        try update()
        return nil
    }

    private var movingStatistics: [String] { parameters.names.filter(parameters.isAuxiliary) }

    /// The first parameter, statistic or array of the optimizer with a value that is not finite.
    func firstNonFiniteValue() -> String? {
        if let entry = parameters.entries.first(where: { !isFinite($0) }) { return "parameter \(entry.name)" }
        return optimizer.states.first { !allFinite($0.memory) }.map { "optimizer state \($0.name)" }
    }
}

private func isFinite(_ entry: ParameterStore.Entry) -> Bool {
    allFinite(UnsafeBufferPointer(start: entry.memory, count: entry.elements))
}

/// Whether no value is a NaN or an infinity.
private func allFinite(_ values: UnsafeBufferPointer<Float>) -> Bool {
    let scan = FiniteScan(values: values)
    // Small arrays are not worth the threads' start.
    guard values.count >= 1 << 16 else { return scan.isFinite(values.indices) }
    let isBroken = Atomic<Bool>(false)
    Parallel.run { part, parts in
        if !scan.isFinite(Parallel.slice(scan.values.count, part: part, parts: parts)) {
            isBroken.store(true, ordering: .relaxed)
        }
    }
    return !isBroken.load(ordering: .relaxed)
}

/// Threads share it and read only.
private struct FiniteScan: @unchecked Sendable {
    let values: UnsafeBufferPointer<Float>

    /// NaN and infinities have all bits of the exponent set.
    func isFinite(_ range: Range<Int>) -> Bool {
        var broken: UInt32 = 0
        for index in range { broken |= (values[index].bitPattern & 0x7f80_0000) == 0x7f80_0000 ? 1 : 0 }
        return broken == 0
    }
}
