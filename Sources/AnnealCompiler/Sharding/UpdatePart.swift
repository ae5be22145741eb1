import AnnealCore

/// The instructions that follow a group of gradients in a plan: its checks, its updates, its averages.
struct UpdatePart {
    /// The steps of the plan.
    let steps: [Int]
    /// The buckets of gradients and statistics that it reads.
    let buckets: [Int]
    /// Parameters and statistics that it reads or changes.
    let names: Set<String>
    /// The indices of the checks that it runs.
    let checks: [Int]
    /// Whether it concerns statistics and outputs rather than gradients.
    let isOfStatistics: Bool

    /// The parts of a plan: steps that share a value belong to the same part.
    /// - Parameter buckets: by gradient and statistic.
    static func parts(of plan: KernelPlan, _ buckets: [Program.ValueID: Int]) -> [UpdatePart] {
        var groups: [(steps: [Int], values: Set<Program.ValueID>)] = []
        for (index, step) in plan.steps.enumerated() where !step.phase.isDisjoint(with: [.check, .update]) {
            let instruction = plan.program.instructions[step.instruction]
            let values = Set((instruction.reads + instruction.writes).map(\.value))
            let near = groups.filter { !$0.values.isDisjoint(with: values) }
            groups.removeAll { !$0.values.isDisjoint(with: values) }
            groups.append((near.flatMap(\.steps) + [index], near.reduce(values) { $0.union($1.values) }))
        }
        let gradients = Set(plan.program.gradients.values)
        return groups.map { group in
            let stored = group.values.map { plan.program.values[$0] }
            return UpdatePart(
                steps: group.steps.sorted(), buckets: Set(group.values.compactMap { buckets[$0] }).sorted(),
                names: Set(stored.filter { $0.kind == .parameter || $0.kind == .auxiliary }.map(\.name)),
                checks: plan.program.checks.indices.filter { group.values.contains(plan.program.checks[$0].value) },
                isOfStatistics: group.values.isDisjoint(with: gradients))
        }
    }
}

/// The parts of the last step's updates that must be done before each step of a plan.
struct UpdateGates {
    /// By the plan's step.
    let parts: [[Int]]
    /// The first step of the backward pass: gradients are written from there on, so all updates must be done.
    let backward: Int

    init(_ parts: [UpdatePart], _ plan: KernelPlan) {
        self.parts = plan.steps.map { step in
            let instruction = plan.program.instructions[step.instruction]
            let names = Set((instruction.reads + instruction.writes).map { plan.program.values[$0.value].name })
            return parts.indices.filter { !parts[$0].names.isDisjoint(with: names) }
        }
        backward = plan.steps.firstIndex { $0.phase == .backward } ?? plan.steps.count
    }
}
