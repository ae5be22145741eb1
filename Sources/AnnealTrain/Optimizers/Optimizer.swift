import AnnealCore
import Foundation

/// Updates the parameters of a model by a rule: holds the state arrays, counts the updates, asks the schedule.
///
/// A step is one parallel pass over all parameters, cut into fixed chunks, so that small parameters do not each enter
/// the thread pool; rules that need norms get a pass before it. The result does not depend on the number of threads.
/// After the first step nothing is allocated as long as the list of parameters stays the same.
///
/// Not safe to use from two threads at once.
public final class Optimizer {
    /// Elements of a chunk: what sums are taken over before they are added up in order. Part of the promise of equal
    /// bits between versions: never change it.
    static let chunkSize = 8192

    /// Elements from which on a parameter can be updated apart from the others, see `begin`.
    package static let largeParameter = 2 * chunkSize

    public let rule: any OptimizerRule
    public var settings: OptimizerSettings
    public internal(set) var schedule: (any LearningRateSchedule)?

    /// MXNet's `num_update`: the largest number of updates that a parameter has had.
    public internal(set) var updates: Int
    /// The rule's numbers that belong to no parameter.
    var scalars: [Double]
    /// By the parameters' names, so that a list in another order finds its states again.
    var entries: [String: Entry] = [:]

    private var bound: [Entry] = []
    /// Those of the large parameters first: what is left for `finish` is one run.
    private var chunks: [Chunk] = []
    /// The chunks of each large parameter; empty for small ones.
    private var ownChunks: [Range<Int>] = []
    private var smallChunks = 0..<0
    private var steps: [StepContext] = []
    /// Two sums of each chunk.
    private var partials: [(Double, Double)] = []
    /// Elements before each chunk and, last, in all: what the chunks are dealt to the threads by.
    private var offsets: [Int] = []

    public init(_ rule: any OptimizerRule, settings: OptimizerSettings = OptimizerSettings()) {
        self.rule = rule
        self.settings = settings
        schedule = settings.schedule
        if let rate = settings.learningRate, type(of: rule).replacesScheduleRate { schedule?.baseRate = rate }
        updates = settings.beginUpdate
        scalars = rule.startScalars
    }

    /// An optimizer with this one's rule and settings, as this one was before its first update.
    func fresh() -> Optimizer { Optimizer(rule, settings: settings) }

    /// The rate of the last update (of the first one before it), without multipliers.
    public var learningRate: Double { rate(at: max(updates, 1)) }

    /// The rate of update number `update`, which is 1 for the first.
    public func rate(at update: Int) -> Double {
        schedule?.rate(at: update) ?? settings.learningRate ?? type(of: rule).standardLearningRate ?? 0.01
    }

    /// Tells the schedule a metric of the last validation.
    public func observe(_ value: Double) { schedule?.observe(value) }

    var scheduleState: [Double] {
        get { schedule?.state ?? [] }
        set { schedule?.state = newValue }
    }

    /// Updates all parameters by their gradients.
    ///
    /// The order counts in some rules (Nadam, LARS, LBSGD), as in MXNet. Throws, before anything is changed, if the
    /// rule cannot update one of them or its size has changed.
    public func step(_ parameters: [OptimizedParameter]) throws {
        try begin(parameters, rescale: settings.rescaleGradient)
        update(parameters, chunks.indices)
    }

    /// Begins a step in which large parameters are updated one by one, each as soon as its gradient is there: counts the
    /// updates and asks the schedule. The bits are those of `step`. With `clipNorm`
    /// all gradients must be there. Throws as `step` does.
    /// - Parameter rescale: what gradients are multiplied by; `settings.rescaleGradient` in `step`.
    func begin(_ parameters: [OptimizedParameter], rescale: Double) throws {
        if !isBound(parameters) { try bind(parameters) }
        prepare(parameters, rescale: rescale)
        if let limit = settings.clipNorm {
            let part = limit / (norm(parameters) * rescale + 1e-6)
            // A norm that is no number leaves the gradients as they are, to be seen.
            if part < 1 { for index in steps.indices { steps[index].rescale *= part } }
        }
    }

    /// Updates one large parameter in a step that has begun.
    func update(_ parameters: [OptimizedParameter], only index: Int) { update(parameters, ownChunks[index]) }

    /// Ends a step that has begun: updates the small parameters, and the large ones but for those that `update` has.
    func finish(_ parameters: [OptimizedParameter], updated: Set<Int>) {
        if updated.isEmpty { return update(parameters, chunks.indices) }
        for index in parameters.indices where !updated.contains(index) { update(parameters, only: index) }
        update(parameters, smallChunks)
    }

    private func update(_ parameters: [OptimizedParameter], _ range: Range<Int>) {
        if rule.reduces { reduce(parameters, range) }
        run(parameters, range) { pass, chunk in pass.update(chunk) }
    }

    /// Makes the state of the parameters, which `step` otherwise does when it first sees them. To be called before
    /// `restore`.
    public func bind(_ parameters: [OptimizedParameter]) throws {
        var list: [Entry] = []
        for parameter in parameters {
            let multiplier = settings.multipliers.weightDecay[parameter.name] ?? (rule.decays(parameter.name) ? 1 : 0)
            try rule.check(parameter, weightDecay: settings.weightDecay * multiplier)
            if let entry = entries[parameter.name], entry.count != parameter.count {
                throw AnnealError(
                    "parameter \(parameter.name)",
                    "has \(parameter.count) elements, the optimizer's state has \(entry.count)", code: .mismatch)
            }
        }
        for parameter in parameters {
            let entry = try entries[parameter.name] ?? makeEntry(parameter)
            entries[parameter.name] = entry
            list.append(entry)
        }
        bound = list
        cut(parameters)
        partials = Array(repeating: (0, 0), count: chunks.count)
        offsets = [0]
        for chunk in chunks { offsets.append((offsets.last ?? 0) + chunk.count) }
        steps = []
        steps.reserveCapacity(parameters.count)
    }

    private func cut(_ parameters: [OptimizedParameter]) {
        chunks = []
        ownChunks = Array(repeating: 0..<0, count: parameters.count)
        func append(_ index: Int) {
            let parameter = parameters[index]
            let row = rule.wantsRows ? parameter.rowLength ?? parameter.count : 1
            let size = max(row, Optimizer.chunkSize / row * row)
            for start in stride(from: 0, to: parameter.count, by: size) {
                chunks.append(Chunk(parameter: index, start: start, count: min(size, parameter.count - start)))
            }
        }
        for (index, parameter) in parameters.enumerated() where parameter.count >= Optimizer.largeParameter {
            let first = chunks.count
            append(index)
            ownChunks[index] = first..<chunks.count
        }
        let first = chunks.count
        for (index, parameter) in parameters.enumerated() where parameter.count < Optimizer.largeParameter {
            append(index)
        }
        smallChunks = first..<chunks.count
    }

    private func isBound(_ parameters: [OptimizedParameter]) -> Bool {
        guard parameters.count == bound.count else { return false }
        return zip(parameters, bound).allSatisfy { $0.count == $1.count && $0.name == $1.name }
    }

    private func makeEntry(_ parameter: OptimizedParameter) throws -> Entry {
        let entry = try Entry(
            name: parameter.name, count: parameter.count, states: rule.stateCount, updates: settings.beginUpdate)
        for (index, state) in entry.states.enumerated() where rule.stateStart(index) == .weight {
            state.update(from: parameter.weight, count: parameter.count)
        }
        entry.adapts = rule.adapts(parameter.name)
        entry.decays = rule.decays(parameter.name)
        return entry
    }

    private func prepare(_ parameters: [OptimizedParameter], rescale: Double) {
        steps.removeAll(keepingCapacity: true)
        for (index, entry) in bound.enumerated() {
            let before = updates
            entry.updates += 1
            updates = max(updates, entry.updates)
            let rate = rate(at: rule.asksBeforeCounting ? before : updates)
            var step = StepContext(
                learningRate: rate * (settings.multipliers.learningRate[entry.name] ?? 1), baseRate: rate,
                weightDecay: settings.weightDecay
                    * (settings.multipliers.weightDecay[entry.name] ?? (entry.decays ? 1 : 0)),
                rescale: rescale, clipGradient: settings.clipGradient, update: entry.updates,
                ownUpdate: entry.updates - settings.beginUpdate, index: index, parameters: bound.count,
                adapts: entry.adapts, rowLength: parameters[index].rowLength ?? 0, seed: settings.seed,
                stream: entry.stream)
            rule.prepare(&step, &scalars)
            steps.append(step)
        }
    }

    /// Sums up each chunk, adds the chunks of a parameter in order, and tells the rule.
    private func reduce(_ parameters: [OptimizedParameter], _ range: Range<Int>) {
        run(parameters, range) { pass, chunk in pass.reduce(chunk) }
        var index = range.lowerBound
        while index < range.upperBound {
            let parameter = chunks[index].parameter
            var sums = (0.0, 0.0)
            while index < range.upperBound, chunks[index].parameter == parameter {
                sums.0 += partials[index].0
                sums.1 += partials[index].1
                index += 1
            }
            rule.finish(&steps[parameter], sums)
        }
    }

    /// The norm of all gradients together, without scale: the sums of fixed chunks are added in order.
    private func norm(_ parameters: [OptimizedParameter]) -> Double {
        run(parameters, chunks.indices) { pass, chunk in pass.addSquares(chunk) }
        return partials.reduce(0) { $0 + $1.0 }.squareRoot()
    }

    /// Deals the chunks to the threads, each a run of about equally many elements.
    private func run(
        _ parameters: [OptimizedParameter], _ range: Range<Int>, _ body: @Sendable (Pass, Int) -> Void
    ) {
        guard !range.isEmpty else { return }
        parameters.withUnsafeBufferPointer { parameters in
            bound.withUnsafeBufferPointer { entries in
                chunks.withUnsafeBufferPointer { chunks in
                    steps.withUnsafeBufferPointer { steps in
                        offsets.withUnsafeBufferPointer { offsets in
                            partials.withUnsafeMutableBufferPointer { partials in
                                let pass = Pass(
                                    rule: rule, parameters: parameters, entries: entries, chunks: chunks, steps: steps,
                                    offsets: offsets, partials: partials)
                                Parallel.run { part, parts in
                                    for chunk in pass.chunks(range, of: part, parts) { body(pass, chunk) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A run of a parameter's elements.
struct Chunk {
    let parameter: Int
    let start: Int
    let count: Int
}

/// One parallel pass over the chunks. Threads share it: each reads all, and writes its own chunks' elements and sums.
private struct Pass: @unchecked Sendable {
    let rule: any OptimizerRule
    let parameters: UnsafeBufferPointer<OptimizedParameter>
    let entries: UnsafeBufferPointer<Optimizer.Entry>
    let chunks: UnsafeBufferPointer<Chunk>
    let steps: UnsafeBufferPointer<StepContext>
    let offsets: UnsafeBufferPointer<Int>
    let partials: UnsafeMutableBufferPointer<(Double, Double)>

    func update(_ index: Int) {
        let (slice, step) = slice(index)
        rule.update(slice, step)
    }

    func reduce(_ index: Int) {
        let (slice, step) = slice(index)
        partials[index] = rule.reduce(slice, step)
    }

    func addSquares(_ index: Int) {
        partials[index] = slice(index).0.sums { _, gradient in (gradient * gradient, 0) }
    }

    /// Those of a range of chunks that begin in the part's share of the range's elements.
    func chunks(_ range: Range<Int>, of part: Int, _ parts: Int) -> Range<Int> {
        let start = offsets[range.lowerBound], total = offsets[range.upperBound] - start
        func share(_ part: Int) -> Int { start + total / parts * part + total % parts * part / parts }
        return first(from: share(part))..<first(from: share(part + 1))
    }

    /// The first chunk that begins at `element` or later; by bisection.
    private func first(from element: Int) -> Int {
        var low = 0, high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if offsets[middle] < element { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func slice(_ index: Int) -> (ParameterSlice, StepContext) {
        let chunk = chunks[index], states = entries[chunk.parameter].states
        func state(_ number: Int) -> UnsafeMutablePointer<Float>? {
            number < states.count ? states[number] + chunk.start : nil
        }
        var step = steps[chunk.parameter]
        step.offset = chunk.start
        return (
            ParameterSlice(
                count: chunk.count, weight: parameters[chunk.parameter].weight + chunk.start,
                gradient: parameters[chunk.parameter].gradient + chunk.start, states: (state(0), state(1), state(2))),
            step
        )
    }
}

extension Optimizer {
    /// A parameter's state. Owns its memory.
    final class Entry {
        let name: String
        let count: Int
        let states: [UnsafeMutablePointer<Float>]
        let stream: UInt32
        var updates: Int
        var adapts = true
        var decays = true

        init(name: String, count: Int, states: Int, updates: Int) throws {
            self.name = name
            self.count = count
            self.updates = updates
            self.states = try (0..<states).map { _ in try allocateFloats(count, for: "the optimizer's state") }
            // FNV-1a, as `Random` hashes names.
            stream = name.utf8.reduce(0x811c_9dc5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        }

        deinit { for state in states { free(state) } }
    }
}
