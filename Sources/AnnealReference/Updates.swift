import AnnealCompiler
import AnnealCore

/// The operations after the gradients, as their definitions read.
extension Operands {
    func run(_ action: UpdateAction) throws {
        let inputs = memory.clock.inputs
        switch action {
        case .update(let rule, let parameters): update(rule, parameters, inputs)
        case .limitNorm(let parameter):
            let squares = roles(of: .input(0)).map { self[$0].elements.reduce(0) { $0 + $1 * $1 } }
            let norm = squares.reduce(0, +).squareRoot() * Double(inputs.numbers[parameter][0])
            // A NaN norm leaves gradients unchanged, so that the problem is noticed.
            let part = inputs.normLimit / (norm + 1e-6)
            write(.output(0), NDArray([1], repeating: part < 1 ? part : 1))
        case .checkFinite:
            let flags = roles(of: .input(0)).map { self[$0].elements.allSatisfy(\.isFinite) ? 1.0 : 0.0 }
            write(.output(0), NDArray([flags.count], flags))
        case .accumulate(let levels): if mayUpdate { accumulate(levels, inputs.merge) }
        case .average:
            guard conditionIsMet else { return }
            for index in roles(of: .input(0)).indices {
                let share = Double(inputs.averageShare)
                write(
                    .changed(index), NDArray.map(self[.changed(index)], self[.input(index)]) { $0 + share * ($1 - $0) })
            }
        case .lookAhead:
            for index in stride(from: 0, to: roles(of: .changed(0)).count, by: 2) {
                let share = Double(inputs.averageShare)
                let slow = NDArray.map(self[.changed(index + 1)], self[.changed(index)]) { $0 + share * ($1 - $0) }
                write(.changed(index), slow)
                write(.changed(index + 1), slow)
            }
        case .exchange:
            for index in stride(from: 0, to: roles(of: .changed(0)).count, by: 2) {
                let (a, b) = (self[.changed(index)], self[.changed(index + 1)])
                write(.changed(index), b)
                write(.changed(index + 1), a)
            }
        case .copy: copy()
        case .restore: if !mayUpdate { copy() }
        }
    }

    private var conditionIsMet: Bool { optional(.condition)?.elements.allSatisfy { $0 != 0 } ?? true }

    /// Sums over batches that were already checked need no further check.
    private var mayUpdate: Bool { !memory.clock.inputs.merge.takesGradient || conditionIsMet }

    /// The operands of a kind, in order.
    private func roles(of kind: Role) -> [Role] {
        site.instruction.reads.map(\.role).filter { role in
            switch (role, kind) {
            case (.input, .input), (.changed, .changed): true
            default: false
            }
        }
    }

    private func copy() {
        for index in roles(of: .input(0)).indices {
            write(has(.changed(index)) ? .changed(index) : .output(index), self[.input(index)])
        }
    }

    private func accumulate(_ levels: Int, _ merge: StepInputs.Merge) {
        for index in roles(of: .input(0)).indices {
            func sum(_ level: Int) -> Role { .changed(index * levels + level) }
            var rest = merge.levels[...], total = self[.input(index)]
            if !merge.takesGradient, let first = rest.popFirst() { total = self[sum(first)] }
            for level in rest { total = NDArray.map(self[sum(level)], total) { Double(Float($0 + $1)) } }
            write(sum(merge.target), total)
        }
    }

    private func update(_ rule: any UpdateRule, _ parameters: [Int], _ inputs: StepInputs) {
        guard mayUpdate else {
            if let flags = optional(.output(0)) { write(.output(0), flags.map { _ in 0 }) }
            return
        }
        let results = parameters.enumerated().map { updated(rule, $0, number: $1, inputs) }
        if has(.output(0)) {
            // Values that overflow float32 are not finite either.
            let flags = results.map { $0.allSatisfy { $0.elements.allSatisfy { Float($0).isFinite } } ? 1.0 : 0.0 }
            write(.output(0), NDArray([flags.count], flags))
            if flags.contains(0) { return }
        }
        let stride = rule.stateCount + 1
        for (parameter, arrays) in results.enumerated() {
            for (index, array) in arrays.enumerated() { write(.changed(parameter * stride + index), array) }
        }
    }

    /// The weight of one parameter and its states after the update.
    private func updated(_ rule: some UpdateRule, _ parameter: Int, number: Int, _ inputs: StepInputs) -> [NDArray] {
        let stride = rule.stateCount + 1, first = parameter * stride
        var arrays = (0..<stride).map { self[.changed(first + $0)] }
        let weight = arrays[0], gradient = self[.input(parameter)]
        let noise = noise(rule, parameter: first, weight.count, inputs, number)
        var numbers = RuleNumbers<Double>(inputs.numbers[number], choices: rule.choices) { Double($0) }
        numbers.scale *= optional(.scale)?.elements[0] ?? 1

        func withElement(_ i: Int, _ body: (inout RuleElement<Double>) -> Void) {
            let states = (1..<max(stride, 4)).map { $0 < stride ? arrays[$0][i] : 0 }
            var others = Array(states.dropFirst(3))
            others.withUnsafeMutableBufferPointer { others in
                var element = RuleElement(
                    weight: arrays[0][i], gradient: gradient[i],
                    states: RuleStates(states[0], states[1], states[2], others: others.baseAddress), noise: noise[i])
                body(&element)
                arrays[0][i] = element.weight
                for state in 1..<max(stride, 1) { arrays[state][i] = element.states[state - 1] }
            }
        }
        let row: Int =
            switch rule.sums {
            case .none, .ofParameter: weight.count
            case .ofRows: weight.count / max(1, weight.shape.rank > 0 ? weight.shape[0] : 1)
            }
        for start in Swift.stride(from: 0, to: weight.count, by: max(1, row)) {
            var k = numbers
            if rule.sums != .none {
                var sums = (0.0, 0.0)
                for i in start..<start + row {
                    withElement(i) { element in
                        let terms = rule.terms(element, k)
                        sums = (sums.0 + terms.0, sums.1 + terms.1)
                    }
                }
                rule.adapt(&k, to: sums)
            }
            for i in start..<start + row { withElement(i) { rule.update(&$0, k) } }
        }
        return arrays
    }

    private func noise(
        _ rule: some UpdateRule, parameter: Int, _ count: Int, _ inputs: StepInputs, _ number: Int
    ) -> [Double] {
        guard rule.drawsNoise, let id = site.instruction.reading(.changed(parameter)) else {
            return Array(repeating: 0, count: count)
        }
        return RuleNoise.draws(
            count, parameter: site.value(id).name, update: inputs.updates[number], seed: inputs.noiseSeed
        ).map(Double.init)
    }
}
