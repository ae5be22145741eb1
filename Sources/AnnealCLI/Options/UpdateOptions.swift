import Anneal
import ArgumentParser

/// What happens to the weights beside the optimizer's own step.
struct UpdateOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "After every K updates, let slow weights go a part of the way to the trained ones, which go on from there.",
            valueName: "K"))
    var lookahead: Int?
    @Option(
        help: ArgumentHelp(
            "The part of the way, or 'cubic' for one that falls from 1 to 0.23.", valueName: "PART"))
    var lookaheadAlpha: LookaheadAlpha = .constant(0.5)

    func check() throws {
        if let lookahead, lookahead < 1 {
            throw UsageError("--lookahead", "is \(lookahead)", mend: "it must be at least 1, usually 5")
        }
        if case .constant(let alpha) = lookaheadAlpha, !(alpha > 0 && alpha <= 1) {
            throw UsageError("--lookahead-alpha", "is \(alpha)", mend: "it is above 0 and at most 1, or cubic")
        }
    }

    var averaging: WeightAveraging? { lookahead.map { .lookahead(every: $0, alpha: lookaheadAlpha) } }
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
