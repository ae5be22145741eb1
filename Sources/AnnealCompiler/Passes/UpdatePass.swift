import AnnealCore
import AnnealGraph

/// Appends the phases after the gradients to a differentiated program: sums over batches, the optimizer's update,
/// averages, checks. Their states become values of the program.
package struct UpdatePass {
    private let update: TrainingUpdate
    private var program: Program
    private var states: [String: [Program.ValueID]] = [:]
    private var sums: [String: [Program.ValueID]] = [:]
    private var averages: [String: Program.ValueID] = [:]

    /// Decides which parameters are updated early, so that passes know which gradients need not be kept.
    /// - Parameter updatesEarly: whether any are; false for engines whose compilers schedule the work themselves.
    package static func choose(_ update: TrainingUpdate, in program: Program, updatesEarly: Bool = true) -> Program {
        var result = program
        result.trained = update.order.filter { name in
            program.gradients[name] != nil && program.variables[name].map { program.values[$0].kind } == .parameter
        }
        guard updatesEarly, !update.needsAllGradients else { return result }
        result.updatedEarly = Set(
            result.trained.filter { name in
                guard let parameter = program.variables[name], let gradient = program.gradients[name] else {
                    return false
                }
                let value = program.values[parameter]
                return value.layout.elements(value.shape) >= TrainingUpdate.largeParameter
                    && program.values[gradient].kind == .temporary && !program.outputs.contains(gradient)
            })
        return result
    }

    /// Inserts the instructions that `choose` has decided on.
    package static func insert(_ update: TrainingUpdate, into program: Program) throws -> Program {
        var pass = UpdatePass(update: update, program: program)
        pass.addStates()
        try pass.insertInstructions()
        try pass.program.verify(after: "updates")
        return pass.program
    }

    private init(update: TrainingUpdate, program: Program) {
        self.update = update
        self.program = program
    }

    // MARK: States

    private mutating func addStates() {
        for name in program.trained {
            states[name] = (0..<update.rule.stateCount).map {
                addState(.optimizer(parameter: name, index: $0), like: name)
            }
        }
        if let averaging = update.averaging {
            for name in averaged { averages[name] = addState(.average(averaging, of: name), like: name) }
        }
        for level in 0..<StepInputs.Merge.levelCount(batches: update.accumulation) {
            for name in program.trained {
                sums[name, default: []].append(addState(.gradientSum(level: level, parameter: name), like: name))
            }
        }
    }

    private mutating func addState(_ name: StateName, like parameter: String) -> Program.ValueID {
        var value = program.values[variable(parameter)]
        (value.name, value.kind) = (name.text, .state)
        let id = program.add(value)
        program.states.append(id)
        return id
    }

    /// Parameters and statistics that have an average.
    private var averaged: [String] {
        guard update.averaging != nil else { return [] }
        return update.order.filter { name in
            guard !update.frozen.contains(name), let id = program.variables[name] else { return false }
            return program.values[id].kind == .parameter || program.values[id].kind == .auxiliary
        }
    }

    private func variable(_ name: String) -> Program.ValueID {
        guard let id = program.variables[name] else { preconditionFailure("\(name) is not in the program") }
        return id
    }

    private func gradient(_ name: String) -> Program.ValueID {
        guard let id = program.gradients[name] else { preconditionFailure("\(name) has no gradient") }
        return id
    }

    // MARK: Instructions

    private mutating func insertInstructions() throws {
        let late = program.trained.filter { !program.updatedEarly.contains($0) }
        var places: [Int: [String]] = [:]
        if !program.updatedEarly.isEmpty {
            var last: [Program.ValueID: Int] = [:]
            for (index, instruction) in program.instructions.enumerated() {
                for (_, value) in instruction.reads + instruction.writes { last[value] = index }
            }
            for name in program.trained where program.updatedEarly.contains(name) {
                let place = [last[variable(name)], last[gradient(name)]].compactMap { $0 }.max()
                places[place ?? program.instructions.count - 1, default: []].append(name)
            }
        }
        let original = program.instructions, backwardStart = program.backwardStart
        program.instructions = []
        let backups = addBackups()
        program.backwardStart = backwardStart + program.instructions.count
        for (index, instruction) in original.enumerated() {
            program.instructions.append(instruction)
            for name in places[index] ?? [] {
                _ = addCheck([(gradient(name), .gradient(name))], layer: name)
                addUpdate([name], layer: name)
            }
        }
        let groups = groups(late, in: original)
        if groups.count > 1 {
            program.holdsGradients = true
            for (number, names) in groups.enumerated() {
                let layer = "parameters, group \(number + 1)"
                _ = addCheck(names.map { (gradient($0), .gradient($0)) }, layer: layer)
                addUpdate(names, layer: layer)
            }
        }
        addFinalUpdate(groups.count > 1 ? [] : late, backups)
        addRarePhases()
    }

    /// The parameters in the order in which their gradients are complete, if gradients arrive in groups.
    private func groups(_ names: [String], in passes: [Program.Instruction]) -> [[String]] {
        guard let bytes = update.groupBytes else { return [names] }
        var last: [Program.ValueID: Int] = [:]
        for (index, instruction) in passes.enumerated() {
            for (_, value) in instruction.reads + instruction.writes { last[value] = index }
        }
        let order = names.indices.sorted { a, b in
            (last[gradient(names[a])] ?? -1, a) < (last[gradient(names[b])] ?? -1, b)
        }
        let counts = order.map { place in
            let value = program.values[gradient(names[place])]
            return value.layout.elements(value.shape)
        }
        return StepSum.ranges(counts, limit: bytes / MemoryLayout<Float>.size).map { range in
            // In the order of the parameters, as without groups.
            order[range].sorted().map { names[$0] }
        }
    }

    /// Copies of the statistics that the backward pass changes before it is known whether the step is valid.
    private mutating func addBackups() -> [(statistic: Program.ValueID, backup: Program.ValueID)] {
        guard update.isGuarded else { return [] }
        let backups = statistics.map { name in
            var value = program.values[variable(name)]
            (value.name, value.kind) = ("\(name)_before", .temporary)
            return (variable(name), program.add(value))
        }
        if !backups.isEmpty {
            program.instructions.append(
                .init(
                    layer: "statistics", action: .update(.copy(.forward)),
                    reads: backups.enumerated().map { (.input($0), $1.0) },
                    writes: backups.enumerated().map { (.output($0), $1.1) }))
        }
        return backups
    }

    private var statistics: [String] {
        update.order.filter { program.variables[$0].map { program.values[$0].kind } == .auxiliary }
    }

    private mutating func addFinalUpdate(
        _ late: [String], _ backups: [(statistic: Program.ValueID, backup: Program.ValueID)]
    ) {
        var checked = late.map { (gradient($0), Check.Subject.gradient($0)) }
        checked += statistics.map { (variable($0), .statistic($0)) }
        if let output = program.outputs.first, program.values[output].kind == .temporary {
            checked.append((output, .loss))
        }
        let check = addCheck(checked, layer: "parameters")
        let condition = update.isGuarded ? check : nil
        func restore(_ phase: Phases, _ condition: Program.ValueID) {
            guard !backups.isEmpty else { return }
            program.instructions.append(
                .init(
                    layer: "statistics", action: .update(.restore(phase)),
                    reads: backups.enumerated().map { (.input($0), $1.backup) }
                        + backups.enumerated().map { (.changed($0), $1.statistic) } + [(.condition, condition)]))
        }
        if let condition { restore(.check, condition) }
        let flags = addUpdate(late, layer: "parameters", condition: condition)
        if let flags { restore(.update, flags) }
        addAverages(statistics, condition: flags)
    }

    /// - Returns: the flags.
    private mutating func addCheck(_ checked: [(Program.ValueID, Check.Subject)], layer: String) -> Program.ValueID? {
        guard !checked.isEmpty else { return nil }
        let flags = addFlags("\(layer)_finite", checked.map(\.1))
        program.instructions.append(
            .init(
                layer: layer, action: .update(.checkFinite),
                reads: checked.enumerated().map { (.input($0), $1.0) }, writes: [(.output(0), flags)]))
        return flags
    }

    private mutating func addFlags(_ name: String, _ subjects: [Check.Subject]) -> Program.ValueID {
        let flags = program.add(.init(name: name, shape: Shape([subjects.count]), kind: .temporary))
        program.checks.append(Check(value: flags, subjects: subjects))
        return flags
    }

    /// All operations that compute new values of some parameters.
    /// - Returns: the flags of a guarded update, which say whether the new values are finite.
    @discardableResult
    private mutating func addUpdate(_ names: [String], layer: String, condition: Program.ValueID? = nil)
        -> Program.ValueID?
    {
        guard !names.isEmpty else { return condition }
        let conditions: [(role: Program.Operand, value: Program.ValueID)] = condition.map { [(.condition, $0)] } ?? []
        let levels = sums[names[0]]?.count ?? 0
        if levels > 0 {
            program.instructions.append(
                .init(
                    layer: layer, action: .update(.accumulate(levels: levels)),
                    reads: gradientOperands(names, gradient) + changed(names.flatMap { sums[$0] ?? [] }) + conditions))
        }
        func complete(_ name: String) -> Program.ValueID { sums[name]?[0] ?? gradient(name) }
        let numbers = names.map { name in program.trained.firstIndex(of: name) ?? 0 }
        var scale: [(role: Program.Operand, value: Program.ValueID)] = []
        if update.limitsNorm {
            let norm = program.add(.init(name: "\(layer)_scale", shape: [1], kind: .temporary))
            program.instructions.append(
                .init(
                    layer: layer, action: .update(.limitNorm(parameter: numbers[0])),
                    reads: gradientOperands(names, complete), writes: [(.output(0), norm)]))
            scale = [(.scale, norm)]
        }
        let flags = condition.map { _ in addFlags("\(layer)_stays_finite", names.map { .parameter($0) }) }
        program.instructions.append(
            .init(
                layer: layer, action: .update(.update(update.rule, parameters: numbers)),
                reads: gradientOperands(names, complete)
                    + changed(names.flatMap { [variable($0)] + (states[$0] ?? []) }) + scale + conditions,
                writes: flags.map { [(.output(0), $0)] } ?? []))
        addAverages(names, condition: flags)
        return flags
    }

    private mutating func addAverages(_ names: [String], condition: Program.ValueID?) {
        guard update.averaging == .movingAverage else { return }
        let names = names.filter { averages[$0] != nil }
        guard !names.isEmpty else { return }
        program.instructions.append(
            .init(
                layer: names.count == 1 ? names[0] : "parameters", action: .update(.average),
                reads: gradientOperands(names, variable) + changed(names.compactMap { averages[$0] })
                    + (condition.map { [(.condition, $0)] } ?? [])))
    }

    private func gradientOperands(_ names: [String], _ value: (String) -> Program.ValueID)
        -> [(role: Program.Operand, value: Program.ValueID)]
    {
        names.enumerated().map { (.input($0), value($1)) }
    }

    private func changed(_ values: [Program.ValueID]) -> [(role: Program.Operand, value: Program.ValueID)] {
        values.enumerated().map { (.changed($0), $1) }
    }

    /// Operations at a run's start, between epochs or every few updates.
    private mutating func addRarePhases() {
        var copied: [(from: Program.ValueID, to: Program.ValueID)] = []
        for name in program.trained {
            for (index, state) in (states[name] ?? []).enumerated() where update.rule.stateStart(index) == .weight {
                copied.append((variable(name), state))
            }
        }
        let pairs = averaged.compactMap { name in averages[name].map { (variable(name), $0) } }
        copied += pairs.map { ($0, $1) }
        if !copied.isEmpty {
            program.instructions.append(
                .init(
                    layer: "states", action: .update(.copy(.start)),
                    reads: copied.enumerated().map { (.input($0), $1.from) } + changed(copied.map(\.to))))
        }
        guard !pairs.isEmpty else { return }
        let action: UpdateAction = update.averaging == .lookAhead ? .lookAhead : .exchange
        program.instructions.append(
            .init(layer: "averages", action: .update(action), reads: changed(pairs.flatMap { [$0, $1] })))
    }
}
