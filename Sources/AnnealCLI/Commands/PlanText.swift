import Anneal

/// What `summary --plan` prints.
struct PlanText {
    private let executor: Executor
    private let step: StepOptions
    /// Bytes of the arena if updates waited although they do not, or did not wait although they do; nil: more memory
    /// than is available.
    private let otherBytes: Int?

    /// - Parameter inputs: shapes of a batch.
    init(_ symbol: Symbol, inputs: [String: Shape], _ step: StepOptions) throws {
        self.step = step
        let update = step.update
        func plan(_ update: TrainingUpdate) throws -> Executor {
            try Executor(symbol, inputs: inputs, mode: .training, update: update, engine: defaultEngine())
        }
        executor = try plan(update)
        var other = update
        if update.needsAllGradients {
            (other.isGuarded, other.limitsNorm) = (false, false)
        } else {
            other.keepsGradients = true
        }
        do {
            otherBytes = try plan(other).plannedBytes
        } catch let error as AnnealError where error.code == .outOfMemory {
            otherBytes = nil
        }
    }

    func text(batchSize: Int) -> String {
        let operations = executor.operations
        var table = TextTable(["", "Layer", "Operation"], right: [0])
        for (index, operation) in operations.enumerated() {
            if operation.phase != .forward, index == 0 || operations[index - 1].phase == .forward {
                table.add(["", "", "-- backward and update --"])
            }
            let what = [operation.kind, operation.shapes, operation.implementation].filter { !$0.isEmpty }
            table.add(["\(index)", operation.layer, what.joined(separator: " ")])
        }
        let operators = executor.symbol.nodes.filter { !$0.isVariable }.count
        let forward = operations.filter { $0.phase == .forward }
        let fused = forward.filter { $0.kind.hasPrefix("fused") }
        let updates = operations.filter { $0.phase == .update }
        return """
            \(table.text)

            \(operators) operators became \(forward.count) forward operations, \(fused.count) of them fused, \
            \(operations.count - forward.count - updates.count) backward operations and \(updates.count) of the update
            Reorders inside a step: \(executor.relayouts)
            Arena: \(Readable.count(executor.plannedBytes)) bytes for batch \(batchSize)
            \(updateLines)
            """
    }

    private var updateLines: String {
        var lines = [executor.program.updatedEarly.isEmpty ? waitingLine : earlyLine]
        let sums = executor.program.states.reduce(0) { sum, id in
            let value = executor.program.values[id]
            guard case .gradientSum = StateName(value.name) else { return sum }
            return sum + 4 * value.layout.elements(value.shape)
        }
        if sums > 0 {
            lines.append(
                "Sums of gradients for --accumulate \(step.accumulate): \(Readable.count(sums)) bytes besides the arena"
            )
        }
        return lines.joined(separator: "\n")
    }

    private var earlyLine: String {
        let early = executor.program.updatedEarly.count, all = executor.program.trained.count
        let saved = otherBytes.map { "\(Readable.count(max(0, $0 - executor.plannedBytes))) bytes" }
        return "Updates: \(early) of \(all) parameters within the backward pass, which saves "
            + (saved ?? "more memory than this machine has")
    }

    private var waitingLine: String {
        guard !step.waits.isEmpty else { return "Updates: all at the end, since no parameter is large" }
        let waits = step.waits.joined(separator: ", "), cost = max(0, executor.plannedBytes - (otherBytes ?? 0))
        return "Updates: all wait for the last gradient (\(waits)), which costs \(Readable.count(cost)) bytes"
    }
}
