import Anneal
import ArgumentParser

/// What happens to the weights besides the optimizer's own step.
struct UpdateOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Lookahead: after every K updates, move slow weights part of the way to the trained ones, which continue from there; 0: off.",
            valueName: "K"))
    var lookahead: Int?
    @Option(
        help: ArgumentHelp(
            "Fraction of the way, or 'cubic' for one that falls from 1 to 0.23.", valueName: "PART"))
    var lookaheadAlpha: LookaheadAlpha = .constant(0.5)
    @Option(
        help: ArgumentHelp(
            "Validate and save a moving average of the weights with this decay per update, e.g. 0.999; 0: off.",
            valueName: "D"))
    var emaDecay: Double?
    @Option(
        help: ArgumentHelp("Clip the norm of all gradients together.", valueName: "NORM"))
    var clipNorm: Double?
    @Option(help: ArgumentHelp("Clip each element of the gradients to ±V.", valueName: "V"))
    var clipGradient: Double?
    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "Nesterov's momentum as PyTorch's SGD has it (nag is MXNet's); for the optimizer sgd.")
    var nesterov = false
    @Option(
        help: ArgumentHelp(
            "Batches averaged into one update (gradient accumulation); the learning rate schedule counts updates.",
            valueName: "N"))
    var accumulate: Int = 1

    func check() throws {
        try WeightAveraging.check(emaDecay: emaDecay, lookahead: lookahead)
        if case .constant(let alpha) = lookaheadAlpha, !(alpha > 0 && alpha <= 1) {
            throw UsageError("--lookahead-alpha", "is \(alpha)", suggestion: "it is above 0 and at most 1, or cubic")
        }
        for (flag, value) in [("--clip-norm", clipNorm), ("--clip-gradient", clipGradient)] {
            if let value, !(value > 0 && value.isFinite) {
                throw UsageError(flag, "is \(value)", suggestion: "it must be above 0")
            }
        }
        guard (1...1 << 20).contains(accumulate) else {
            throw UsageError("--accumulate", "is \(accumulate)", suggestion: "it must be at least 1")
        }
    }

    var averaging: WeightAveraging? {
        .flags(emaDecay: emaDecay, lookahead: lookahead, alpha: lookaheadAlpha)
    }

    /// For `Optimizers.make`.
    var optimizerOptions: [String: OptionValue] {
        let numbers = ["clip_norm": clipNorm, "clip_gradient": clipGradient]
        return numbers.compactMapValues { $0.map(OptionValue.number) }
            .merging(nesterov ? ["nesterov": .flag(true)] : [:]) { $1 }
    }

    /// A log line about what is validated and saved; nil: just the trained weights.
    var note: String? {
        switch averaging {
        case .movingAverage(let decay):
            "Moving averages of the weights are validated and saved, --ema-decay \(decay)"
        case .lookahead(let every, _):
            "Lookahead: slow weights follow every \(every) updates; after the last epoch they are saved"
        case nil: nil
        }
    }
}

extension LookaheadAlpha: ExpressibleByArgument, Encodable {
    public init?(argument: String) {
        if argument == "cubic" {
            self = .cubic
        } else if let alpha = Double(argument) {
            self = .constant(alpha)
        } else {
            return nil
        }
    }

    public var defaultValueDescription: String {
        switch self {
        case .constant(let alpha): "\(alpha)"
        case .cubic: "cubic"
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(defaultValueDescription)
    }
}

extension WeightAveraging {
    /// What the flags request; nil: nothing.
    static func flags(emaDecay: Double?, lookahead: Int?, alpha: LookaheadAlpha = .constant(0.5)) -> WeightAveraging? {
        if let emaDecay, emaDecay > 0 { return .movingAverage(decay: emaDecay) }
        if let lookahead, lookahead > 0 { return .lookahead(every: lookahead, alpha: alpha) }
        return nil
    }

    static func check(emaDecay: Double?, lookahead: Int?) throws {
        if let lookahead, lookahead < 0 {
            throw UsageError("--lookahead", "is \(lookahead)", suggestion: "it must not be negative, usually 5")
        }
        guard let emaDecay else { return }
        guard emaDecay >= 0, emaDecay < 1 else {
            throw UsageError("--ema-decay", "is \(emaDecay)", suggestion: "it is from 0 to below 1, usually 0.999")
        }
        guard emaDecay == 0 || lookahead ?? 0 == 0 else {
            throw UsageError("--ema-decay", "cannot be combined with --lookahead", suggestion: "give one of them")
        }
    }
}
