import AnnealCompiler
import AnnealCore
import AnnealGraph

/// Identifies an executable: the instructions of some phases of a step.
package struct PartKey: Hashable {
    /// Which part of the work it does.
    package enum Role: Hashable {
        /// The whole step, or what does not depend on the shards.
        case whole
        /// One shard's passes: what the others need is returned as one row of numbers.
        case shard
        /// The sum of some rows with a number of elements.
        case sum(rows: Int, elements: Int)
        /// The rest of the step: parameters are updated with the sum of the shards' rows.
        case update
    }

    var phases: Phases
    var role = Role.whole
    /// How gradients of several batches are accumulated, if they are.
    var merge: StepInputs.Merge?
    /// The inputs that are 8-bit pixels, if the part reads inputs.
    var pixels: [Program.ValueID: PixelScaling]

    package init(
        _ phases: Phases, _ merge: StepInputs.Merge, _ role: Role = .whole,
        pixels: [Program.ValueID: PixelScaling] = [:]
    ) {
        self.phases = phases
        self.role = role
        let sums: Phases = [.accumulate, .update], passes: Phases = [.forward, .backward]
        self.merge = phases.isDisjoint(with: sums) ? nil : merge
        self.pixels = role == .update || phases.isDisjoint(with: passes) ? [:] : pixels
    }

    static func sum(rows: Int, elements: Int) -> PartKey {
        PartKey([], StepInputs.Merge(), .sum(rows: rows, elements: elements))
    }

    package static func == (a: PartKey, b: PartKey) -> Bool {
        a.phases == b.phases && a.role == b.role && a.merge == b.merge && a.pixels == b.pixels
    }
    package func hash(into hasher: inout Hasher) {
        hasher.combine(phases)
        hasher.combine(role)
        hasher.combine(merge?.levels)
        hasher.combine(merge?.takesGradient)
        hasher.combine(merge?.target)
        hasher.combine(pixels)
    }
}

/// The arguments of a part's executable, in order.
package enum PartArgument: Hashable {
    /// Data, labels, output gradients, in plain order.
    case input(Program.ValueID)
    /// The same, in 8 bits.
    case pixels(Program.ValueID)
    /// A parameter, a statistic or a state.
    case stored(Program.ValueID)
    /// A value that an earlier part of the step returned.
    case carried(Program.ValueID)
    /// A row of numbers, by its index among those that the device receives: shards' rows, or their sum.
    case row(Int)
    /// The seed's two words, the step, and the number of the first sample: ui32 (4).
    case random
    /// `StepInputs.numbers`: (parameters, 8).
    case numbers
    /// `averageShare`, `normLimit`, `lossScale` and 1 / `lossScale`: (4).
    case scalars
    /// The normally distributed noise of a parameter, in plain order.
    case noise(parameter: Int)
}

/// The results of a part's executable, in order.
package enum PartResult: Hashable {
    /// A new value of a parameter, a statistic or a state.
    case stored(Program.ValueID)
    /// Values that later parts of the step read, or that callers may read.
    case carried(Program.ValueID)
    /// What the other shards need: `PartWriter.exchanged`, concatenated.
    case row
    /// An output of the network, or the flags of a check, in plain order.
    case plain(Program.ValueID)
}
