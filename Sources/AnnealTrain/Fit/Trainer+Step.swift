import AnnealCompiler
import AnnealCore

extension Trainer {
    /// One training step on the contents of the slot: forward, backward, and the update once the gradients of
    /// `accumulation` batches are complete. Nothing is allocated.
    /// - Throws: also when `initialize` has not been called and no values have been loaded.
    public func step() throws {
        try parameters.checkComplete()
        try submit(checked: false, waits: true)
    }

    /// Submits a step. A step that is not finite is undone if it can be dropped; otherwise its results report it.
    /// - Parameters:
    ///   - checked: whether loss, gradients and statistics are checked.
    ///   - waits: whether to wait until the step is over, updates included.
    @discardableResult
    func submit(checked: Bool, waits: Bool = false) throws -> SubmittedStep {
        try startStates()
        let isUpdate = gathered + 1 == accumulation, before = canDropSteps ? optimizer.counters : nil
        training.stepInputs.merge = StepInputs.Merge(batch: gathered, isLast: isUpdate)
        training.stepInputs.lossScale = Float(lossScale) / Float(Self.powerOfTwo(upTo: batchSize))
        if isUpdate { try prepareUpdate(batches: accumulation) }
        let results = try training.run(phases(isUpdate: isUpdate, checked: checked))
        timeline?.add(training.exchanges)
        // Before the timeline's step ends: the updates are this step's.
        if waits { try training.settle() }
        var step = SubmittedStep(
            results: results, isUpdate: isUpdate, update: updates + 1,
            learningRate: optimizer.learningRate)
        if let before, let problem = try problem(of: step) {
            optimizer.counters = before
            // The sum of the group has replaced one of its parts: it is dropped with its update.
            if case .parameter = problem { gathered = 0 }
            step.loweredScale = scaler?.lower(for: problem) ?? false
            timeline?.endStep()
            return step
        }
        scaler?.noteGoodStep()
        if isUpdate { try finishUpdate() } else { gathered += 1 }
        timeline?.endStep()
        return step
    }

    /// The phases of a step.
    private func phases(isUpdate: Bool, checked: Bool) -> Phases {
        var phases: Phases = [.forward, .backward]
        if checked || canDropSteps { phases.insert(.check) }
        if accumulation > 1 { phases.insert(.accumulate) }
        if isUpdate { phases.insert(.update) }
        return phases
    }

    /// Lets engines that compile programs do so now, for training on one source and scoring another, instead of in the
    /// first step. `fit` does not need it: it begins with the compilation.
    public func prepare(training source: any BatchSource, validation: (any BatchSource)? = nil) throws {
        _ = try slot(for: source)
        // Sums of many batches can have many orders; the rare ones are compiled when they occur.
        for batch in 0..<min(accumulation, 32) {
            let isUpdate = batch + 1 == accumulation
            training.stepInputs.merge = StepInputs.Merge(batch: batch, isLast: isUpdate)
            try training.prepare(phases(isUpdate: isUpdate, checked: true))
        }
        if let averaging {
            try training.prepare(.start)
            try training.prepare(averaging.replacesWeights ? .exchange : .lookAhead)
        }
        if let validation { try scorer(.none).prepare(validation) }
    }

    /// Gradients are those of a sum over the batch, while the scale is for the mean loss: they differ by a power of two
    /// near the batch size.
    private static func powerOfTwo(upTo count: Int) -> Int { 1 << (Int.bitWidth - 1 - count.leadingZeroBitCount) }

    /// The factor for the gradients of the mean loss in the next step.
    var lossScale: Int {
        if case .constant(let scale) = lossScaling { return scale }
        return scaler?.scale ?? 1
    }

    /// Ends an epoch: gradients that wait for further batches become an update. `fit` calls it; a custom loop over
    /// `step` must call it if updates cover several batches (`accumulation`).
    /// - Returns: why the update was dropped, if steps can be dropped; nil if it was made or there was none to make.
    @discardableResult
    public func updateRest() throws -> String? {
        guard gathered > 0 else { return nil }
        let before = canDropSteps ? optimizer.counters : nil
        training.stepInputs.merge = StepInputs.Merge(rest: gathered)
        try prepareUpdate(batches: gathered)
        let results = try training.run([.accumulate, .update])
        if let before, let name = try brokenParameters(results).first {
            (optimizer.counters, gathered) = (before, 0)
            return Check.Subject.parameter(name).description
        }
        try finishUpdate()
        return nil
    }

    /// The numbers of the update, for the mean gradient over the images of this many batches.
    private func prepareUpdate(batches: Int) throws {
        let rescale = optimizer.settings.rescaleGradient / Double(batchSize) / Double(batches)
        try optimizer.prepare(&training.stepInputs, rescale: rescale)
        training.stepInputs.averageShare = averaging?.share(update: updates + 1) ?? 0
    }

    private func finishUpdate() throws {
        updates += 1
        gathered = 0
        guard case .lookahead(let interval, let alpha) = averaging, updates % interval == 0 else { return }
        try lookAhead(alpha.value(progress: lastUpdate.map { Double(updates) / Double($0) } ?? 0))
    }

    private func lookAhead(_ alpha: Double) throws {
        training.stepInputs.averageShare = Float(alpha)
        try training.run(.lookAhead)
    }

    /// Ends a run: with lookahead the slow weights replace the trained ones. `fit` calls it, and a custom loop must.
    public func endRun() throws {
        if case .lookahead = averaging, statesHaveStarted { try lookAhead(0) }
    }

    /// Initialises states that begin as copies of weights.
    package func startStates() throws {
        guard !statesHaveStarted else { return }
        try training.run(.start)
        statesHaveStarted = true
    }

    /// Every batch has its own random numbers.
    func countBatch() { training.step = updates * accumulation + gathered }

    /// Whether no gradients are waiting for further batches.
    var isBetweenUpdates: Bool { gathered == 0 }

    /// The number of updates in an epoch of this many batches.
    func updates(batches: Int) -> Int { (batches + accumulation - 1) / accumulation }

    /// Runs `body` with the weights that are validated and saved: the moving averages, if there are any.
    package func withValidatedWeights<Result>(_ body: () throws -> Result) throws -> Result {
        // An observer of batches may come while the last step's gradients are still on their way.
        try training.settle()
        // Before the first step the averages are the weights.
        guard averaging?.replacesWeights == true, statesHaveStarted else { return try body() }
        try training.run(.exchange)
        let result = Swift.Result { try body() }
        try training.run(.exchange)
        return try result.get()
    }
}

/// A step that an engine is computing or has computed.
struct SubmittedStep {
    let results: any StepResults
    /// Whether it ended with an update.
    let isUpdate: Bool
    /// The number of the update that its gradients contribute to, from 1.
    let update: Int
    /// After the step.
    let learningRate: Double
    /// Whether it was dropped because the loss scale was too high, which dynamic loss scaling causes now and then.
    var loweredScale = false
}

extension Check.Subject {
    /// The message if it is not finite.
    var description: String {
        switch self {
        case .loss: "the loss is not finite: the network's output holds a NaN or an infinity"
        case .gradient(let name): "the gradient of \(name) holds a NaN or an infinity"
        // The square of an activation overflows; the loss need not.
        case .statistic(let name): "the statistic \(name) holds a NaN or an infinity"
        case .parameter(let name): "the update would give \(name) a NaN or an infinity"
        }
    }
}

extension Trainer {
    /// What is not finite in a step that was checked; nil if everything is finite. For gradients it is the one nearest
    /// to the output, where the problem began. Waits for the step.
    func problem(of step: SubmittedStep) throws -> Check.Subject? {
        var gradients: Set<String> = [], statistic: Check.Subject?
        for (number, check) in training.program.checks.enumerated() {
            for (subject, flag) in zip(check.subjects, try step.results.flags(number)) where flag == 0 {
                switch subject {
                case .loss: return .loss
                case .gradient(let name): gradients.insert(name)
                case .statistic: statistic = statistic ?? subject
                // The flags of an update stay until the next one.
                case .parameter: break
                }
            }
        }
        // A scale can make gradients overflow, but not statistics.
        if scaler != nil, let statistic { return statistic }
        if let name = training.program.trained.last(where: gradients.contains) { return .gradient(name) }
        if let statistic { return statistic }
        return step.isUpdate ? try brokenParameters(step.results).first.map { .parameter($0) } : nil
    }

    /// The parameters that an update would have made infinite.
    private func brokenParameters(_ results: any StepResults) throws -> [String] {
        try training.program.checks.enumerated().flatMap { number, check in
            zip(check.subjects, try results.flags(number)).compactMap { subject, flag in
                if case .parameter(let name) = subject, flag == 0 { name } else { nil }
            }
        }
    }

    /// The first parameter, statistic or state to be saved that is not finite.
    func firstNonFiniteValue() throws -> String? {
        for entry in parameters.entries where try !entry.array.isFinite() { return "parameter \(entry.name)" }
        for entry in savedStates where try !entry.array.isFinite() { return "state \(entry.name)" }
        return nil
    }
}
