import Synchronization

/// The thread on which a classifier's network runs. Samples of all callers wait in one queue, and up to a batch of them
/// is computed together.
///
/// A plan's memory serves one run at a time, and a separate thread keeps that work off the executors of tasks; so there
/// is one plan, and the weights are in memory once.
final class ClassifierWorker: Sendable {
    /// The network's output for a sample, one number per class.
    typealias Scores = Result<[Float], AnnealError>

    private struct State: Sendable {
        var waiting: [Waiting] = []
        /// How many of these have been taken: they are removed together, so that the cost per image does not grow with
        /// a call's number of images.
        var taken = 0
        var isStopped = false
        var isRunning = true
    }

    private struct Waiting: Sendable {
        let sample: ClassifierSample
        let index: Int
        let answers: Answers
    }

    private let state = Guarded(State())
    let batchSize: Int

    /// - Parameter scorer: used only by the thread from here on.
    init(_ scorer: Scorer, options: LoaderOptions) throws {
        batchSize = options.batchSize
        // The caller gives up the scorer.
        let run = Handover(try ClassifierRun(scorer, options: options))
        try OwnThread.start("anneal-classify", pool: Parallel.threads) { [state, batchSize] in
            while case let next = state.wait(for: .work, until: { Self.take(batchSize, &$0) }), !next.isEmpty {
                for (waiting, scores) in zip(next, run.value.scores(next.map(\.sample))) {
                    waiting.answers.set(waiting.index, scores)
                }
            }
            state.withLock { $0.isRunning = false }
            state.signal(.progress)
        }
    }

    /// Ends the thread and waits for it. Callers keep the classifier alive until they have their answers: nobody is
    /// waiting any more.
    func stop() {
        state.withLock { $0.isStopped = true }
        state.signal(.work)
        state.wait(for: .progress) { $0.isRunning ? nil : () }
    }

    /// The thread's next task; empty: it ends; nil: it waits.
    private static func take(_ most: Int, _ state: inout State) -> [Waiting]? {
        let next = Array(state.waiting.dropFirst(state.taken).prefix(most))
        guard !next.isEmpty else { return state.isStopped ? [] : nil }
        state.taken += next.count
        if 2 * state.taken > state.waiting.count {
            state.waiting.removeFirst(state.taken)
            state.taken = 0
        }
        return next
    }

    /// Calls `done` on the worker's thread when all samples have their scores, in order.
    func submit(_ samples: [ClassifierSample], _ done: @escaping @Sendable ([Scores]) -> Void) {
        guard !samples.isEmpty else { return done([]) }
        let answers = Answers(samples.count, done)
        state.withLock { state in
            state.waiting += samples.enumerated().map { Waiting(sample: $1, index: $0, answers: answers) }
        }
        state.signal(.work)
    }
}

/// The scores of a call's samples, as they arrive.
private final class Answers: Sendable {
    private struct State {
        var scores: [ClassifierWorker.Scores?]
        var missing: Int
    }
    private let state: Mutex<State>
    private let done: @Sendable ([ClassifierWorker.Scores]) -> Void

    init(_ count: Int, _ done: @escaping @Sendable ([ClassifierWorker.Scores]) -> Void) {
        state = Mutex(State(scores: Array(repeating: nil, count: count), missing: count))
        self.done = done
    }

    func set(_ index: Int, _ scores: ClassifierWorker.Scores) {
        let all = state.withLock { state in
            state.scores[index] = scores
            state.missing -= 1
            return state.missing == 0 ? state.scores.compactMap { $0 } : nil
        }
        if let all { done(all) }
    }
}

/// State owned by the worker's thread: the network's plan, and decoders for each thread of its pool.
private final class ClassifierRun {
    private let scorer: Scorer
    private let shape: Shape
    private let preparations: [ImagePreparation]

    init(_ scorer: Scorer, options: LoaderOptions) throws {
        self.scorer = scorer
        shape = options.dataShape
        let threads = max(1, min(options.threads, options.batchSize, Parallel.threads))
        preparations = try (0..<threads).map { _ in try ImagePreparation(options) }
    }

    /// - Precondition: the samples fit into a batch.
    func scores(_ samples: [ClassifierSample]) -> [ClassifierWorker.Scores] {
        do {
            let slot = try scorer.slot()
            let failures = prepare(samples, slot.data)
            var scores: [ClassifierWorker.Scores] = []
            guard failures.contains(where: { $0 == nil }) else {
                return failures.compactMap { $0.map { .failure($0) } }
            }
            try scorer.run(rows: samples.count, in: slot) { batch in
                for (row, failure) in failures.enumerated() {
                    let outputs = batch.outputs[(row * batch.classes)..<((row + 1) * batch.classes)]
                    scores.append(failure.map { .failure($0) } ?? .success(Array(outputs)))
                }
            }
            return scores
        } catch {
            let failure = error as? AnnealError ?? AnnealError("", "\(error)")
            return samples.map { _ in .failure(failure) }
        }
    }

    /// Writes the samples to the rows of a batch; rows without one are zeros.
    /// - Returns: for each sample, its error.
    private func prepare(
        _ samples: [ClassifierSample], _ data: UnsafeMutableBufferPointer<Float>
    ) -> [AnnealError?] {
        let failures = Mutex<[AnnealError?]>(Array(repeating: nil, count: samples.count))
        let size = shape.count
        data[(samples.count * size)...].update(repeating: 0)
        // Each part has its own decoder and rows.
        let pass = Handover((preparations: preparations, data: data, shape: shape))
        Parallel.run { part, parts in
            let parts = min(parts, pass.value.preparations.count)
            guard part < parts else { return }
            for row in stride(from: part, to: samples.count, by: parts) {
                let memory = UnsafeMutableBufferPointer(rebasing: pass.value.data[(row * size)..<((row + 1) * size)])
                do {
                    try samples[row].write(to: memory, shape: pass.value.shape, pass.value.preparations[part])
                } catch {
                    memory.update(repeating: 0)
                    failures.withLock { $0[row] = error as? AnnealError ?? AnnealError("", "\(error)") }
                }
            }
        }
        return failures.withLock { $0 }
    }
}
