import AnnealCompiler
import AnnealCore

/// What follows the gradients.
extension Operands {
    func write(_ action: UpdateAction) throws {
        let inputs = roles(of: .input(0)), changed = roles(of: .changed(0))
        switch action {
        case .update(let rule, let parameters): try update(rule, parameters)
        case .limitNorm(let parameter):
            let squares = inputs.map { role in
                let gradient = stored(role)
                return (gradient * gradient).sum()
            }
            let norm = squares.dropFirst().reduce(squares[0], +).squareRoot() * number(parameter, 0)
            // If the norm is NaN, gradients stay as they are, so that the check sees them.
            let part = scalar(1) / (norm + 1e-6)
            writeStored(.output(0), part.compare(.less, 1).select(part, 1).reshaped([1]))
        case .checkFinite: writeFlags(inputs.map { isFinite(stored($0)) })
        case .accumulate(let levels): try accumulate(levels)
        case .average:
            for index in inputs.indices {
                let old = stored(.changed(index))
                change(.changed(index), old + scalar(0) * (stored(.input(index)) - old), if: condition)
            }
        case .lookAhead:
            for index in stride(from: 0, to: changed.count, by: 2) {
                let fast = stored(.changed(index)), slow = stored(.changed(index + 1))
                let middle = slow + scalar(0) * (fast - slow)
                writeStored(.changed(index), middle)
                writeStored(.changed(index + 1), middle)
            }
        case .exchange:
            for index in stride(from: 0, to: changed.count, by: 2) {
                let a = stored(.changed(index)), b = stored(.changed(index + 1))
                writeStored(.changed(index), b)
                writeStored(.changed(index + 1), a)
            }
        case .copy:
            for index in inputs.indices {
                writeStored(has(.changed(index)) ? .changed(index) : .output(index), stored(.input(index)))
            }
        case .restore:
            guard takesGradient, let condition else { return }
            for index in inputs.indices {
                let now = stored(.changed(index))
                writeStored(.changed(index), condition.select(now, stored(.input(index))))
            }
        }
    }

    /// Whether the summands include the batch's own gradient.
    private var takesGradient: Bool { writer.key.merge?.takesGradient ?? true }

    /// Whether all flags of the condition are set: a scalar flag; nil without a condition.
    private var condition: HLOValue? {
        optionalStored(.condition).map { $0.compare(.unequal, 0).reduced(.all, [0]) }
    }

    /// Like `condition`; sums of batches that were checked before need no further check.
    private var updateCondition: HLOValue? { takesGradient ? condition : nil }

    private func change(_ role: Role, _ new: HLOValue, if condition: HLOValue?) {
        writeStored(role, condition.map { $0.select(new, stored(role)) } ?? new)
    }

    private func isFinite(_ value: HLOValue) -> HLOValue {
        value.isFinite().reduced(.all, Array(value.dims.indices))
    }

    private func writeFlags(_ flags: [HLOValue]) {
        let list = flags.map { $0.converted(to: .f32).reshaped([1]) }
        writeStored(.output(0), HLOValue.concatenated(list, axis: 0))
    }

    private func scalar(_ index: Int) -> HLOValue { writer.scalar(index) }

    /// One of a parameter's numbers in this step: a scalar.
    private func number(_ parameter: Int, _ column: Int) -> HLOValue {
        writer.argument(.numbers, [writer.program.trained.count, StepNumbers.scalarCount], .f32)
            .sliced(from: [parameter, column], to: [parameter + 1, column + 1]).reshaped([])
    }

    private func accumulate(_ levels: Int) throws {
        guard let merge = writer.key.merge else {
            throw AnnealError("", "sums over batches without their order", code: .internalDefect)
        }
        for index in roles(of: .input(0)).indices {
            func sum(_ level: Int) -> Role { .changed(index * levels + level) }
            var total = merge.takesGradient ? stored(.input(index)) : nil
            for level in merge.levels { total = total.map { stored(sum(level)) + $0 } ?? stored(sum(level)) }
            if let total { change(sum(merge.target), total, if: updateCondition) }
        }
    }

    private func update(_ rule: any UpdateRule, _ parameters: [Int]) throws {
        let stride = rule.stateCount + 1, scale = optionalStored(.scale)?.reshaped([])
        var results = try parameters.enumerated().map { index, number in
            try updated(rule, first: index * stride, gradient: stored(.input(index)), number: number, scale: scale)
        }
        var condition = updateCondition
        if has(.output(0)) {
            var flags = results.map { arrays in
                arrays.dropFirst().reduce(isFinite(arrays[0])) { $0 & isFinite($1) }
            }
            if let condition { flags = flags.map { $0 & condition } }
            writeFlags(flags)
            condition = flags.dropFirst().reduce(flags[0], &)
        }
        for index in results.indices {
            for state in 0..<stride { change(.changed(index * stride + state), results[index][state], if: condition) }
        }
        results.removeAll()
    }

    /// The weight of one parameter and its states after the update.
    private func updated(
        _ rule: some UpdateRule, first: Int, gradient: HLOValue, number: Int, scale: HLOValue?
    ) throws -> [HLOValue] {
        let arrays = (0...rule.stateCount).map { stored(.changed(first + $0)) }
        let columns = (0..<StepNumbers.scalarCount).map { RuleValue.array(self.number(number, $0)) }
        var k = RuleNumbers<RuleValue>(
            scale: columns[0], rate: columns[1], decay: columns[2], bound: columns[3],
            constants: (columns[4], columns[5], columns[6], columns[7]), choices: rule.choices, clips: true)
        if let scale { k.scale = k.scale * .array(scale) }
        var noise = RuleValue(0)
        if rule.drawsNoise {
            let shape = try shape(.changed(first))
            noise = .array(Order.channelsLast(writer.argument(.noise(parameter: number), shape.dims, .f32)))
        }
        let missing = Array(repeating: RuleValue(0), count: max(0, 4 - arrays.count))
        let values = arrays.map(RuleValue.array) + missing
        var others = Array(values.dropFirst(4))
        return others.withUnsafeMutableBufferPointer { others in
            var element = RuleElement<RuleValue>(
                weight: values[0], gradient: .array(gradient),
                states: RuleStates(values[1], values[2], values[3], others: others.baseAddress), noise: noise)
            if rule.sums != .none {
                let terms = rule.terms(element, k)
                rule.adapt(&k, to: (total(terms.0, rule.sums, gradient), total(terms.1, rule.sums, gradient)))
            }
            rule.update(&element, k)
            return [element.weight.like(gradient)]
                + (0..<rule.stateCount).map { element.states[$0].like(gradient) }
        }
    }

    /// The sum over the parameter or each of its rows, broadcast over what was summed.
    private func total(_ terms: RuleValue, _ sums: RuleSums, _ model: HLOValue) -> RuleValue {
        let values = terms.like(model)
        switch sums {
        case .none: return terms
        case .ofParameter: return .array(values.sum())
        case .ofRows:
            guard model.rank > 0 else { return terms }
            return .array(values.sum(Array(1..<model.rank)).broadcast(to: model.dims, axis: 0))
        }
    }
}
