import AnnealCompiler
import AnnealCore
import AnnealGraph

/// What an executable is made of: the instructions of some phases of a step.
package struct PartKey: Hashable {
    /// Whose work it is.
    package enum Role: Hashable {
        /// All of a step, or what does not depend on the shards.
        case whole
        /// One shard's passes: what the others need is left in one row of numbers.
        case shard
        /// The sum of some rows of so many elements.
        case sum(rows: Int, elements: Int)
        /// What follows: parameters are updated by the sum of the shards' rows.
        case update
    }

    var phases: Phases
    var role = Role.whole
    /// How gradients of several batches are added, where they are.
    var merge: StepInputs.Merge?
    /// The inputs that are 8-bit pixels, where the part may read inputs.
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

/// What a part's executable is given, in order.
package enum PartArgument: Hashable {
    /// Data, labels, output gradients, in plain order.
    case input(Program.ValueID)
    /// As above, in 8 bits.
    case pixels(Program.ValueID)
    /// A parameter, a statistic or a state.
    case stored(Program.ValueID)
    /// A value that an earlier part of the step has left.
    case carried(Program.ValueID)
    /// A row of numbers, by its place among those that the device gets: shards', or their sum.
    case row(Int)
    /// The seed's two words, the step, and the number of the first sample: ui32 (4).
    case random
    /// `StepInputs.numbers`: (parameters, 8).
    case numbers
    /// `averageShare`, `normLimit`, `lossScale` and 1 / `lossScale`: (4).
    case scalars
    /// The normal draws of a parameter, in plain order.
    case noise(parameter: Int)
}

/// What a part's executable gives, in order.
package enum PartResult: Hashable {
    /// A new value of a parameter, a statistic or a state.
    case stored(Program.ValueID)
    /// Values that later parts of the step read, or that can be asked for.
    case carried(Program.ValueID)
    /// What the other shards need: `PartWriter.exchanged`, one after the other.
    case row
    /// An output of the network, or the flags of a check, in plain order.
    case plain(Program.ValueID)
}
