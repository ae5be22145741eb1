import Anneal

/// What follows the gradients.
extension Operands {
    func run(_ action: UpdateAction) throws {
        let sources = all { .input($0) }, changed = all { .changed($0) }
        switch action {
        case .update(let rule, let parameters): update(rule, parameters)
        case .limitNorm(let parameter):
            let squares = sources.reduce(0.0) { $1.memory.reduce($0) { $0 + Double($1) * Double($1) } }
            let part = inputs.normLimit / (squares.squareRoot() * Double(inputs.numbers[parameter][0]) + 1e-6)
            // A norm that is no number leaves gradients as they are, to be seen.
            self[.output(0)][0] = part < 1 ? Float(part) : 1
        case .checkFinite:
            for (index, source) in sources.enumerated() { self[.output(0)][index] = source.isFinite() ? 1 : 0 }
        case .accumulate(let levels):
            guard mayUpdate else { return }
            for (index, gradient) in sources.enumerated() {
                func sum(_ level: Int) -> List { changed[index * levels + level] }
                let merge = inputs.merge, parts = merge.levels.map(sum)
                for i in gradient.indices {
                    // The gradient, or the lowest sum, first: the order of the tree.
                    let values = (merge.takesGradient ? [gradient[i]] : []) + parts.map { $0[i] }
                    sum(merge.target)[i] = values.dropFirst().reduce(values[0]) { $1 + $0 }
                }
            }
        case .average:
            guard conditionIsMet else { return }
            for (weight, average) in zip(sources, changed) {
                for i in weight.indices { average[i] += inputs.averageShare * (weight[i] - average[i]) }
            }
        case .exchange:
            for index in stride(from: 0, to: changed.count, by: 2) {
                let (a, b) = (changed[index], changed[index + 1])
                for i in a.indices { (a[i], b[i]) = (b[i], a[i]) }
            }
        case .copy: copy(sources, changed)
        case .restore: if !mayUpdate { copy(sources, changed) }
        default:
            throw AnnealError(
                "layer \(instruction.layer)", "\(action.name) is not in the list engine", code: .unsupported)
        }
    }

    private func copy(_ sources: [List], _ changed: [List]) {
        for (source, target) in zip(sources, changed.isEmpty ? all { .output($0) } : changed) { target.copy(source) }
    }

    private var conditionIsMet: Bool { optional(.condition)?.memory.allSatisfy { $0 != 0 } ?? true }

    /// Sums over batches that were checked before need no further check.
    private var mayUpdate: Bool { !inputs.merge.takesGradient || conditionIsMet }

    private func update(_ rule: any UpdateRule, _ parameters: [Int]) {
        guard mayUpdate else {
            optional(.output(0))?.memory.update(repeating: 0)
            return
        }
        if let flags = optional(.output(0)) {
            for (index, number) in parameters.enumerated() {
                var isFinite = true
                forEachSlice(rule, index, number) { isFinite = rule.staysFinite($0) && isFinite }
                flags[index] = isFinite ? 1 : 0
            }
            guard flags.memory.allSatisfy({ $0 != 0 }) else { return }
        }
        for (index, number) in parameters.enumerated() { forEachSlice(rule, index, number) { rule.update($0) } }
    }

    /// Calls `body` with the whole parameter, or with each row where the rule adds up rows, once the rule knows the sums.
    private func forEachSlice(_ rule: any UpdateRule, _ index: Int, _ number: Int, _ body: (RuleSlice) -> Void) {
        let first = index * (rule.stateCount + 1), weight = self[.changed(first)], count = weight.memory.count
        guard let base = weight.memory.baseAddress, let gradient = self[.input(index)].memory.baseAddress else {
            return
        }
        var numbers = inputs.numbers[number]
        if let scale = optional(.scale) { numbers[0] *= scale[0] }
        let states = (0..<rule.stateCount).compactMap { self[.changed(first + 1 + $0)].memory.baseAddress }
        let name = instruction.reading(.changed(first)).map { program.values[$0].name } ?? ""
        let noise =
            rule.drawsNoise
            ? RuleNoise.draws(count, parameter: name, update: inputs.updates[number], seed: inputs.noiseSeed) : []
        let row = rule.sums == .ofRows ? count / max(1, weight.shape[0]) : count
        states.withUnsafeBufferPointer { states in
            noise.withUnsafeBufferPointer { noise in
                for start in stride(from: 0, to: count, by: max(1, row)) {
                    let slice = RuleSlice(
                        numbers: numbers, start: start, count: row, weight: base, gradient: gradient, states: states,
                        noise: rule.drawsNoise ? noise.baseAddress : nil)
                    let adapted = rule.sums == .none ? numbers : rule.adapted(numbers, to: rule.sums(over: slice))
                    body(slice.with(adapted))
                }
            }
        }
    }
}
